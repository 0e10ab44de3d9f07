package sandbox

import (
	"context"
	"io"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// RunPlain runs a Lua file with the libraries and a print that writes to out,
// without any word of a runbook. It is how tests compare this Lua with others.
// Errors are *SyntaxError and *ScriptError.
func RunPlain(ctx context.Context, limits Limits, name string, source []byte, out io.Writer) error {
	proto, err := Compile(name, source)
	if err != nil {
		return err
	}
	vm := newVM(limits)
	vm.SetWord("print", func(L *lua.LState) int {
		parts := make([]string, L.GetTop())
		for i := range parts {
			parts[i] = display(L, L.Get(i+1))
		}
		if _, err := io.WriteString(out, strings.Join(parts, "\t")+"\n"); err != nil {
			raiseFatal(L, err)
		}
		return 0
	})
	_, err = vm.Call(vm.NewThread(ctx), vm.Function(proto))
	return err
}
