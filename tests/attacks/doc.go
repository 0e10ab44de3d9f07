// Package attacks holds runbooks that try to hang, crash, fill or leave the
// sandbox, each with the error that it has to end in, and the test that runs
// them the way an operator would. It contains nothing that a program uses.
package attacks
