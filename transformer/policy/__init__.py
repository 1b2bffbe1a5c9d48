"""What the user wants: reads a policy, says what must be asked about a reference, and judges the answers. No I/O."""
