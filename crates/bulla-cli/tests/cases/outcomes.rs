//! What is not understood is never success; who acted is never guessed.
