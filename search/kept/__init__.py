"""Work of a trial or row that is kept until its record is stored: finished steps, state of its training, its takes."""
