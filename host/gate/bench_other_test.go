//go:build !linux

package gate_test

import "os"

func syncData(f *os.File) error { return f.Sync() }
