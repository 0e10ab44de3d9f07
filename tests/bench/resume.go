package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// calls is how many the run that is resumed has made.
const calls = 10000

// resumed are runs of so many calls, each of another shape, that wait for an
// approval.
func resumed() []struct{ name, body string } {
	return []struct{ name, body string }{
		{"one open step", fmt.Sprintf(`step("All", function()
      for i = 1, %d do http.request { url = url } end
      approve("go on")
    end)`, calls)},
		{"1,000 open branches", fmt.Sprintf(`step("All", function()
      local items = {}
      for i = 1, 1000 do items[i] = "i" .. i end
      each("Items", items, { at_once = 8 }, function(item)
        return step("One", function() for i = 1, %d do http.request { url = url } end end)
      end)
      approve("go on")
    end)`, calls/1000)},
	}
}

// measureResume lets the program make the calls, and then resume the run up to
// the approval that nobody gives.
func measureResume(ctx context.Context, b *bench) ([]row, error) {
	if _, err := os.Stat(b.program); err != nil {
		return nil, fmt.Errorf("%s is not built: run make bench", b.program)
	}
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer web.Close()
	var rows []row
	for _, r := range resumed() {
		dir, err := os.MkdirTemp(b.scratch, "resume-")
		if err != nil {
			return nil, err
		}
		for name, text := range map[string]string{"drhost.toml": "default_env = \"bench\"\n[env.bench]\n",
			"bench.lua": "local http = require \"http\"\nlocal url = \"" + web.URL + "\"\nreturn runbook {\n  title = \"Many calls\",\n  run = function()\n    " + r.body + "\n  end,\n}\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				return nil, err
			}
		}
		if _, err := b.waits(ctx, dir, "run", "bench.lua", "--no-input"); err != nil {
			return nil, err
		}
		journals, err := filepath.Glob(filepath.Join(dir, ".drhost", "runs", "*", "journal.jsonl"))
		if err != nil || len(journals) != 1 {
			return nil, fmt.Errorf("the run left %d journals (%v)", len(journals), err)
		}
		var took, bare []time.Duration
		for range max(b.rounds/4, 3) {
			d, err := b.waits(ctx, dir, "resume", "last", "--no-input")
			if err != nil {
				return nil, err
			}
			took = append(took, d)
			if d, err = b.readAndHash(journals[0]); err != nil {
				return nil, err
			}
			bare = append(bare, d)
		}
		rows = append(rows, row{Benchmark: fmt.Sprintf("resume of %d calls, %s", calls, r.name), Took: middle(took),
			Rival: "reading and hashing its journal bare", RivalTook: middle(bare), TargetTook: time.Second})
	}
	return rows, nil
}

// waits runs the program, which is to end with 3, and returns how long it took.
func (b *bench) waits(ctx context.Context, dir string, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, b.program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CI=true")
	start := b.clock.Now()
	out, err := cmd.CombinedOutput()
	took := b.clock.Now().Sub(start)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		return 0, fmt.Errorf("drhost %v: %w\n%s", args, err, tail(out))
	}
	return took, nil
}

// readAndHash is the least that checking a journal takes.
func (b *bench) readAndHash(path string) (time.Duration, error) {
	start := b.clock.Now()
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines, records := bufio.NewReaderSize(f, 1<<16), 0
	var sum [sha256.Size]byte
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		sum = sha256.Sum256(append(sum[:], bytes.TrimSpace(line)...))
		records++
	}
	if records < calls {
		return 0, fmt.Errorf("the journal has %d records: %d calls were not made", records, calls)
	}
	return b.clock.Now().Sub(start), nil
}
