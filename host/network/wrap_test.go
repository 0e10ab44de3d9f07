package network

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/clock"
)

// TestWrapped: every connection into the world passes through wrap, whoever
// makes it, and none of those to the switchboard itself.
func TestWrapped(t *testing.T) {
	board, server := newBoard(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }))
	t.Cleanup(web.Close)
	board.set("203.0.113.10:80", Route{To: strings.TrimPrefix(web.URL, "http://")})
	made := make(chan string, 10)
	n, ok := Wrapped(Switchboard(server.URL, nil, clock.System{}), func(_ context.Context, _, address string, c net.Conn) net.Conn {
		made <- address
		return c
	})
	if !ok {
		t.Fatal("a simulated world's network is not wrapped")
	}
	client := http.Client{Transport: n.Transport()}
	for _, url := range []string{"http://203.0.113.10", web.URL} {
		answer, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	local, end, err := n.Forward(t.Context(), "203.0.113.10:80")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Get("http://" + local)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	client.CloseIdleConnections()
	end()
	close(made)
	var got []string
	for address := range made {
		got = append(got, address)
	}
	want := []string{"203.0.113.10:80", strings.TrimPrefix(web.URL, "http://"), local, "203.0.113.10:80"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, ok := Wrapped(System(), nil); ok {
		t.Error("the real network is wrapped")
	}
}
