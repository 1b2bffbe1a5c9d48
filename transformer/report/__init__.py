"""One Outcome told several ways: pure functions from an Outcome to text."""
