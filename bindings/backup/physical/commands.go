package physical

import (
	"fmt"

	"github.com/webhost-systems/drhost/bindings/backup/artifact"
	"github.com/webhost-systems/drhost/bindings/backup/catalogue"
)

// Commands restore a copy of a cluster by hand: lines for bash, in the folder
// of the backup, as the user that runs PostgreSQL.
func Commands(m catalogue.Manifest) []string {
	lines := []string{
		fmt.Sprintf(`# In this folder, as the user that runs PostgreSQL %d. DATA is a new folder, REPOSITORY the folder of the whole repository, KEY the file of the age key if there is one.`, m.Server.Major),
		`mkdir -m 0700 "$DATA"`,
	}
	for _, f := range m.Files {
		lines = append(lines, fmt.Sprintf("echo '%s  %s' | sha256sum -c -", f.SHA256, f.Name))
	}
	for _, f := range m.Files {
		if f.Plain() == BaseName {
			lines = append(lines, unpacked(f)+` | tar -x -f - -C "$DATA"`)
		} else {
			lines = append(lines, unpacked(f)+` > "$DATA"/`+f.Plain())
		}
	}
	open, ending := "zstd -dc", ".zst"
	if len(m.Recipients) > 0 {
		open, ending = `age -d -i "$KEY"`, ".zst.age"
	}
	read := func(file string) string {
		if len(m.Recipients) > 0 {
			return open + " " + file + " | zstd -dc"
		}
		return open + " " + file
	}
	const digits = "????????????????????????"
	wal := `"$REPOSITORY"/wal/` + m.Base.System
	return append(lines,
		`pg_verifybackup "$DATA"`,
		"# So far it is what the backup holds. The archived log takes it further: histories of timelines, whole segments, and the pieces of the last one.",
		`for f in `+wal+`/*/*.history.zst; do [ -e "$f" ] && zstd -dc "$f" > "$DATA/pg_wal/$(basename "$f" .zst)"; done`,
		`for f in `+wal+`/*/`+digits+ending+`; do [ -e "$f" ] && `+read(`"$f"`)+` > "$DATA/pg_wal/$(basename "$f" `+ending+`)"; done`,
		`for f in `+wal+`/*/`+digits+`.*-*`+ending+`; do s=$(basename "$f" | cut -d. -f1); r=$(basename "$f" | cut -d. -f2); [ -e "$f" ] && ! [ -e "$(dirname "$f")/$s`+ending+`" ] && `+
			read(`"$f"`)+` | dd of="$DATA/pg_wal/$s" bs=1M iflag=fullblock oflag=seek_bytes seek=$((16#${r%-*})) conv=notrunc status=none && truncate -s `+fmt.Sprint(m.Base.SegmentSize)+` "$DATA/pg_wal/$s"; done`,
		`touch "$DATA/recovery.signal"; echo "restore_command = 'false'" >> "$DATA/postgresql.auto.conf"`,
		`pg_ctl -D "$DATA" -w start`,
		"# Compare pg_last_wal_replay_lsn() with `position` in wal/"+m.Base.System+"/head.json: PostgreSQL ends its recovery without a word at a segment that is missing.",
	)
}

// unpacked is the command that writes what an artifact holds.
func unpacked(f artifact.Record) string {
	if f.Encryption != "" {
		return `age -d -i "$KEY" ` + f.Name + " | zstd -dc"
	}
	return "zstd -dc " + f.Name
}
