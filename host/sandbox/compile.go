package sandbox

import (
	"bytes"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"github.com/webhost-systems/drhost/host/words"
)

const (
	maxSource       = words.MaxSource
	maxNesting      = 400
	maxRegisters    = 200     // gopher-lua's own limit, beyond which it goes wrong silently
	maxConstants    = 10_000  // of one function; the compiler's search for them is quadratic
	maxInstructions = 100_000 // of one function; a jump must span it
	maxUpvalues     = 120     // PUC Lua has 60
)

// SyntaxError says why a file does not compile. It reads "file:line: message".
type SyntaxError struct {
	File    string
	Line    int
	Message string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message) }

// Compile turns a Lua 5.1 file into code. name is how positions name the file.
// Every error is a *SyntaxError: wrong syntax, goto, an assignment to a global,
// and programs too large for the compiler. The syntax tree is rewritten before
// it is compiled, because gopher-lua compiles many ordinary shapes wrongly;
// rewrite.go says which.
func Compile(name string, source []byte) (*lua.FunctionProto, error) {
	return compile(name, source, false)
}

func compile(name string, source []byte, foresee bool) (proto *lua.FunctionProto, err error) {
	defer func() {
		if rcv := recover(); rcv != nil {
			proto = nil
			if syntax, ok := rcv.(*SyntaxError); ok {
				err = syntax
				return
			}
			err = &SyntaxError{name, 1, fmt.Sprintf("the compiler gave up: %v", rcv)}
		}
	}()
	if len(source) > maxSource {
		return nil, &SyntaxError{name, 1, fmt.Sprintf("the file has %d KiB; at most %d are read", len(source)>>10, maxSource>>10)}
	}
	if err := checkTokens(name, source); err != nil {
		return nil, err
	}
	tree, err := parse.Parse(bytes.NewReader(source), name)
	if err != nil {
		return nil, syntaxError(name, source, err)
	}
	tree = rewrite(name, tree, foresee)
	proto, err = lua.Compile(tree, name)
	if err != nil {
		return nil, syntaxError(name, source, err)
	}
	if err := checkSize(name, proto); err != nil {
		return nil, err
	}
	return proto, nil
}

func syntaxError(name string, source []byte, err error) error {
	switch e := err.(type) {
	case *parse.Error:
		line, message := e.Pos.Line, strings.TrimSpace(e.Message)
		if line == parse.EOF {
			return &SyntaxError{name, 1 + bytes.Count(bytes.TrimRight(source, "\n"), []byte("\n")), message + " at the end of the file"}
		}
		token := e.Token
		if len(token) > 40 {
			token = token[:40] + "..."
		}
		return &SyntaxError{name, line, fmt.Sprintf("%s near %q", message, token)}
	case *lua.CompileError:
		return &SyntaxError{name, max(e.Line, 1), e.Message}
	}
	return &SyntaxError{name, 1, err.Error()}
}

// checkTokens refuses what PUC Lua refuses and gopher-lua's parser lets pass:
// a call whose parenthesis starts a new line, which is mostly a statement of
// its own that was meant.
func checkTokens(name string, source []byte) error {
	scanner := parse.NewScanner(bytes.NewReader(source), name)
	lexer := &parse.Lexer{}
	var before ast.Token
	parameters := 0 // 1: after `function`, 2: inside its parameters
	for {
		token, err := scanner.Scan(lexer)
		if err != nil {
			return syntaxError(name, source, err)
		}
		if token.Type == parse.EOF {
			return nil
		}
		call := before.Type == ')' || before.Type == ']' || before.Type == '}' || before.Type == parse.TIdent || before.Type == parse.TString
		switch {
		case token.Type == parse.TFunction:
			parameters = 1
		case token.Type == '(' && parameters == 1:
			parameters = 2
		case token.Type == ')' && parameters == 2:
			parameters, token.Type = 0, parse.TFunction // no value: what follows cannot be a call
		case token.Type == '(' && call && token.Pos.Line > before.Pos.Line && before.Pos.Line > 0:
			return &SyntaxError{name, token.Pos.Line, "ambiguous syntax: this would call what the line before ends with; put ';' before the parenthesis"}
		}
		if token.Type == parse.TString {
			token.Pos.Line += strings.Count(token.Str, "\n") // a long string ends on a later line
		}
		before = token
	}
}

// checkSize refuses functions whose code would be wrong without a word.
func checkSize(name string, proto *lua.FunctionProto) error {
	line := max(proto.LineDefined, 1)
	if len(proto.Code) > maxInstructions {
		return &SyntaxError{name, line, "this function is too long; split it"}
	}
	if len(proto.DbgUpvalues) > maxUpvalues {
		return &SyntaxError{name, line, fmt.Sprintf("this function uses more than %d locals of the functions around it", maxUpvalues)}
	}
	for _, inner := range proto.FunctionPrototypes {
		if err := checkSize(name, inner); err != nil {
			return err
		}
	}
	return nil
}
