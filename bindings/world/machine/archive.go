package machine

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// tarball packs (-c) and unpacks (-x) archives, with -z through gzip.
func tarball(p *process) int {
	if len(p.args) > 0 && !strings.HasPrefix(p.args[0], "-") {
		p.args[0] = "-" + p.args[0]
	}
	set, names, ok := p.options("cxztvp", "fC")
	if !ok || set["f"] == "" || has(set, "c") == has(set, "x", "t") {
		return p.usage("-c|-x|-t [-z] -f ARCHIVE [-C FOLDER] [NAME...]")
	}
	base := p.dir
	if set["C"] != "" {
		base = p.path(set["C"])
	}
	var err error
	if has(set, "c") {
		err = p.pack(p.path(set["f"]), base, names, has(set, "z"))
	} else {
		err = p.unpack(p.path(set["f"]), base, has(set, "z"), has(set, "t"))
	}
	if err != nil {
		return p.fail(err)
	}
	return 0
}

func (p *process) pack(archive, base string, names []string, zip bool) (err error) {
	f, err := p.disk().open(archive, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := io.WriteCloser(f)
	if zip {
		out = gzip.NewWriter(f)
		defer func() { err = errors.Join(err, out.Close()) }()
	}
	w := tar.NewWriter(out)
	defer func() { err = errors.Join(err, w.Close()) }()
	for _, name := range names {
		from := within(base, name)
		err := p.disk().walk(from, func(file string, info fs.FileInfo) error {
			link, _ := p.disk().readlink(file) // "" for what is no link
			h, err := tar.FileInfoHeader(info, link)
			if err != nil {
				return err
			}
			h.Name = strings.TrimPrefix(strings.TrimSuffix(name, "/")+strings.TrimPrefix(file, from), "/")
			h.Uname, h.Gname, h.Uid, h.Gid = "root", "root", 0, 0
			if err := w.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
				return err
			}
			data, err := p.disk().read(file)
			if err == nil {
				_, err = w.Write(data)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *process) unpack(archive, base string, zip, list bool) error {
	in := p.in
	if path.Base(archive) != "-" {
		f, err := p.disk().open(archive, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	var err error
	if zip || strings.HasSuffix(archive, "gz") {
		if in, err = gzip.NewReader(in); err != nil {
			return err
		}
	}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		target := within(base, path.Clean("/" + h.Name)[1:])
		switch {
		case list:
			p.printf("%s\n", h.Name)
		case h.Typeflag == tar.TypeDir:
			err = p.disk().mkdirAll(target, fs.FileMode(h.Mode).Perm())
		case h.Typeflag == tar.TypeSymlink:
			err = p.disk().symlink(h.Linkname, target)
		case h.Typeflag == tar.TypeReg:
			var data []byte
			if data, err = io.ReadAll(r); err == nil {
				err = p.disk().write(target, data, fs.FileMode(h.Mode).Perm())
			}
			if err == nil {
				err = p.disk().chtimes(target, h.ModTime, h.ModTime)
			}
		}
		if err != nil {
			return err
		}
	}
}
