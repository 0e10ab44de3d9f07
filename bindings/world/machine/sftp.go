package machine

import (
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/pkg/sftp"
)

// sftpFiles serves a machine's disk over SFTP.
type sftpFiles struct{ disk *disk }

// Fileread is sftp.FileReader's.
func (f sftpFiles) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	file, err := f.disk.open(r.Filepath, os.O_RDONLY, 0)
	return checked(file, err)
}

// Filewrite is sftp.FileWriter's.
func (f sftpFiles) Filewrite(r *sftp.Request) (io.WriterAt, error) { return f.OpenFile(r) }

// OpenFile is sftp.OpenFileWriter's.
func (f sftpFiles) OpenFile(r *sftp.Request) (sftp.WriterAtReaderAt, error) {
	want := r.Pflags()
	flag := os.O_RDONLY
	switch {
	case want.Read && want.Write:
		flag = os.O_RDWR
	case want.Write:
		flag = os.O_WRONLY
	}
	// No O_APPEND: writes come with their offset.
	for bit, set := range map[int]bool{os.O_CREATE: want.Creat, os.O_TRUNC: want.Trunc, os.O_EXCL: want.Excl} {
		if set {
			flag |= bit
		}
	}
	file, err := f.disk.open(r.Filepath, flag, 0o644)
	return checked(file, err)
}

func checked(file *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || info.IsDir() {
		file.Close()
		return nil, sftp.ErrSSHFxFailure
	}
	return file, nil
}

// Filecmd is sftp.FileCmder's.
func (f sftpFiles) Filecmd(r *sftp.Request) error {
	switch r.Method {
	case "Setstat":
		return f.setstat(r)
	case "Rename":
		if _, err := f.disk.stat(r.Target, false); err == nil {
			return fs.ErrExist
		}
		return f.disk.rename(r.Filepath, r.Target)
	case "Rmdir", "Remove":
		info, err := f.disk.stat(r.Filepath, false)
		if err != nil {
			return err
		}
		if info.IsDir() != (r.Method == "Rmdir") {
			return sftp.ErrSSHFxFailure
		}
		return f.disk.remove(r.Filepath, false)
	case "Mkdir":
		return f.disk.mkdir(r.Filepath, 0o755)
	case "Link":
		return f.disk.link(r.Filepath, r.Target)
	case "Symlink":
		return f.disk.symlink(r.Filepath, r.Target)
	}
	return sftp.ErrSSHFxOpUnsupported
}

// PosixRename is sftp.PosixRenameFileCmder's: it replaces an existing file.
func (f sftpFiles) PosixRename(r *sftp.Request) error { return f.disk.rename(r.Filepath, r.Target) }

func (f sftpFiles) setstat(r *sftp.Request) error {
	flags, attrs := r.AttrFlags(), r.Attributes()
	if flags.Size {
		file, err := f.disk.open(r.Filepath, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := file.Truncate(int64(attrs.Size)); err != nil {
			return err
		}
	}
	if flags.Permissions {
		if err := f.disk.chmod(r.Filepath, attrs.FileMode().Perm()); err != nil {
			return err
		}
	}
	if flags.Acmodtime {
		at, mt := time.Unix(int64(attrs.Atime), 0), time.Unix(int64(attrs.Mtime), 0)
		return f.disk.chtimes(r.Filepath, at, mt)
	}
	return nil // owners: every login is root's
}

// Filelist is sftp.FileLister's.
func (f sftpFiles) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method != "List" {
		info, err := f.disk.stat(r.Filepath, true)
		return infoList{info}, err
	}
	entries, err := f.disk.list(r.Filepath)
	if err != nil {
		return nil, err
	}
	var out infoList
	for _, e := range entries {
		if info, err := e.Info(); err == nil { // else it has just gone
			out = append(out, info)
		}
	}
	return out, nil
}

// Lstat is sftp.LstatFileLister's.
func (f sftpFiles) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	info, err := f.disk.stat(r.Filepath, false)
	return infoList{info}, err
}

// Readlink is sftp.ReadlinkFileLister's.
func (f sftpFiles) Readlink(name string) (string, error) { return f.disk.readlink(name) }

// RealPath is sftp.RealPathFileLister's.
func (f sftpFiles) RealPath(name string) (string, error) {
	rel, err := f.disk.resolve(name, true)
	if err != nil {
		return "", err
	}
	if rel == "." {
		return "/", nil
	}
	return "/" + rel, nil
}

type infoList []fs.FileInfo

func (l infoList) ListAt(into []fs.FileInfo, offset int64) (int, error) {
	if offset >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(into, l[offset:])
	if n < len(into) {
		return n, io.EOF
	}
	return n, nil
}
