package sandbox

import (
	"bytes"
	"context"
	"testing"
	"time"
)

// lua runs source and returns what it printed, and its error.
func runLua(t *testing.T, source string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := RunPlain(context.Background(), Limits{Instructions: 20_000_000, CPU: time.Minute}, "t.lua", []byte(source), &out)
	return out.String(), err
}
