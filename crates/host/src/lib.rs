//! The edge where terminals arrive: listeners, stages in payment order, replies.
