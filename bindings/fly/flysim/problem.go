package flysim

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// obj is a JSON object of an answer or of a machine's configuration.
type obj = map[string]any

// problem is a refusal in the vendor's terms: {"error": text, "status": code}.
type problem struct {
	http    int
	message string
	status  string // a word for programs; empty: "unknown"
}

func (p *problem) Error() string { return p.message }

// Capacity is the word for a region without room.
const Capacity = "insufficient_capacity"

func notFound(what string) *problem { return &problem{404, what + " not found", "not_found"} }

func invalid(format string, args ...any) *problem {
	return &problem{400, "invalid_argument: " + fmt.Sprintf(format, args...), "invalid_argument"}
}

func precondition(format string, args ...any) *problem {
	return &problem{412, "failed_precondition: " + fmt.Sprintf(format, args...), "failed_precondition"}
}

// WriteError answers with the vendor's error envelope.
func WriteError(w http.ResponseWriter, status int, word, message string) {
	write(w, status, obj{"error": message, "status": or(word, "unknown")})
}

// write answers with JSON; a text is written as it is, and nil is no body.
func write(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	if text, isText := body.(string); isText {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text)) // the client is gone when this fails
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	encoded, err := json.Marshal(body)
	if err != nil {
		status, encoded = 500, []byte(`{"error":"the answer cannot be encoded","status":"unknown"}`)
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(encoded, '\n')) // the client is gone when this fails
}
