//! Components and answers that are made to exhaust the machine, and code that is not what was locked (X1, X2, X8, X10, X11, X13, X14).
