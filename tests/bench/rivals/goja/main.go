// Command goja runs one script in the JavaScript engine that k6 is made with,
// and gives it nothing but print. It is what drhost's start is measured
// against; nothing else uses it.
package main

import (
	"fmt"
	"os"

	"github.com/dop251/goja"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	vm := goja.New()
	if err := vm.Set("print", func(s string) { fmt.Println(s) }); err != nil {
		return err
	}
	_, err = vm.RunScript(path, string(text))
	return err
}
