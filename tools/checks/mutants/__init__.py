"""Changes the rules one small step at a time and asks whether any pure test notices."""
