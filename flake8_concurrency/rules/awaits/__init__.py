"""CNC5xx: what an `await` lets others do: state that changes meanwhile, tasks that nobody keeps, loops that wait for themselves."""
