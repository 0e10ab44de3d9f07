// Command drhost runs disaster-recovery runbooks. It only parses the command
// line: what it does is in package host.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
