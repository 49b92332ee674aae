//! HTTP function: the door for API callers.
