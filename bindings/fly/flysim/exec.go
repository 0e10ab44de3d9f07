package flysim

import (
	"context"
	"errors"
	"strings"
	"time"
)

// execTime is how long a command may take that names no time, in seconds.
const execTime = 30

// execMachine runs a command. How it ended is in the body; the answer is 200
// also for one that failed.
func (s *Sim) execMachine(c *call) (int, any, error) {
	var in struct {
		Cmd     string   `json:"cmd"`
		Command []string `json:"command"`
		Stdin   string   `json:"stdin"`
		Timeout int      `json:"timeout"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if in.Cmd == "" && len(in.Command) == 0 {
		return 0, nil, invalid("cmd or command must be given")
	}
	s.mu.Lock()
	lost, state, hung := s.unreachable(c.one), c.one.state, c.one.hung
	s.mu.Unlock()
	switch {
	case lost:
		return 0, nil, &problem{503, "unavailable: the host of machine " + c.one.id + " is unreachable", "unavailable"}
	case state != started:
		return 0, nil, precondition("unable to exec on machine from current state: '%s'", state)
	case in.Timeout <= 0:
		in.Timeout = execTime
	}
	late := &problem{408, "deadline_exceeded: the command did not end in time", "deadline_exceeded"}
	if hung {
		if err := s.sleep(c.Context(), time.Duration(in.Timeout)*time.Second); err != nil {
			return 0, nil, err
		}
		return 0, nil, late
	}
	// What is really done takes as long as it takes, however fast the rest is.
	ctx, cancel := context.WithTimeout(c.Context(), time.Duration(in.Timeout)*time.Second)
	defer cancel()
	out, err := s.metal.Exec(ctx, c.one.id, Command{Line: in.Cmd, Words: in.Command, Stdin: in.Stdin})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return 0, nil, late
	case err != nil:
		return 0, nil, err
	}
	c.question = out.Question
	return 200, obj{"exit_code": out.Exit, "exit_signal": out.Signal, "stdout": out.Stdout, "stderr": out.Stderr}, nil
}

// Split returns the command in words: those given, or the line split at
// blanks outside of quotes.
func (c Command) Split() []string {
	if len(c.Words) > 0 {
		return c.Words
	}
	var words []string
	var word strings.Builder
	var quote rune
	open := false
	for _, r := range c.Line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, open = r, true
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words
}

// processes lists the one process that the books know of.
func (s *Sim) processes(c *call) (int, any, error) {
	if c.one.state != started {
		return 0, nil, precondition("unable to list processes from current state: '%s'", c.one.state)
	}
	return 200, []obj{{"pid": 1, "stime": 0, "rtime": 0, "command": "/fly/init", "directory": "/", "cpu": 0, "rss": 4096, "listen_sockets": []obj{}}}, nil
}
