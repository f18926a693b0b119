"""The results page of the benchmarks of search: its tables, its pictures and its text, made from their figures."""
