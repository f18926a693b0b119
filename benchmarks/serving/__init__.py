"""Cost of the service around the trainings: of a trial, a suggestion, joining, the dashboard, and starting."""
