"""Biandan (便单): the code that runs in AWS Lambda. One package per capability, file names by layer."""
