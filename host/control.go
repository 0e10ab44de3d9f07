package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Wait keeps the world running until ctx is done, or somebody asks it to end.
func (s *Sim) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-s.Live.Stopped():
	}
	return nil
}

// SimFault breaks the running world: args are a fault's name and its
// arguments. Without any it lists the faults.
func (h *Host) SimFault(ctx context.Context, start string, args []string) ([]byte, error) {
	if len(args) == 0 {
		return h.control(ctx, start, http.MethodGet, "/fault", nil)
	}
	plain := map[string]any{}
	for _, a := range args[1:] {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			return nil, Usage(fmt.Errorf("%q: write name=value, as in `drhost sim fault kill_server server=hobby-1`", a))
		}
		plain[name] = value
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			plain[name] = n
		}
		if value == "true" || value == "false" {
			plain[name] = value == "true"
		}
	}
	body, err := json.Marshal(map[string]any{"name": args[0], "args": plain})
	if err != nil {
		return nil, err
	}
	return h.control(ctx, start, http.MethodPost, "/fault", body)
}

// SimShow returns what the running world tells of itself: state, requests,
// faults, or inbox.
func (h *Host) SimShow(ctx context.Context, start, what string) ([]byte, error) {
	switch what {
	case "state", "requests", "faults", "inbox":
		return h.control(ctx, start, http.MethodGet, "/"+what, nil)
	}
	return nil, Usage(fmt.Errorf("there is no %q to show; there are state, requests, faults, inbox", what))
}

func (h *Host) control(ctx context.Context, start, method, path string, body []byte) ([]byte, error) {
	p, err := h.open(start)
	if err != nil {
		return nil, err
	}
	w, err := readWorld(p.state, "")
	if err != nil {
		return nil, Usage(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(w.Control, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, Usage(fmt.Errorf("the simulated world does not answer: %w", err))
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		return nil, Usage(errors.New(reason(answer)))
	}
	return answer, nil
}

// reason is what the world says is wrong.
func reason(answer []byte) string {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(answer, &said) == nil && said.Error != "" {
		return said.Error
	}
	return strings.TrimSpace(string(answer))
}
