"""What an operator looks at: kept notices, and the story of a purchase's money."""
