package logical

import "os"

// hide takes a file's name away: it lives as long as it is open.
func hide(f *os.File, dir string) *localFile {
	os.RemoveAll(dir)
	// Opened anew by each process that reads it, with a position of its own.
	return &localFile{path: "/proc/self/fd/3", files: []*os.File{f}, close: func() { f.Close() }}
}
