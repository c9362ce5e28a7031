"""What is optimised: inversion, personal priors."""
