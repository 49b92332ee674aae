//! HTTP function: the door for data consumers.
