//go:build unix && !linux

package logical

import "os"

// hide leaves a file its name until it is closed.
func hide(f *os.File, dir string) *localFile {
	return &localFile{path: f.Name(), close: func() {
		f.Close()
		os.RemoveAll(dir)
	}}
}
