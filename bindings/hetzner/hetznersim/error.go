package hetznersim

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// obj is a JSON object of an answer.
type obj = map[string]any

// problem is a refusal in the vendor's terms. Statuses are those of the
// vendor's published API; clients go by the code.
type problem struct {
	status  int
	code    string
	message string
	details any
}

func (p *problem) Error() string { return p.message + " (" + p.code + ")" }

// WriteError answers with the vendor's error envelope.
func WriteError(w http.ResponseWriter, status int, code, message string) {
	write(w, status, envelope(&problem{status: status, code: code, message: message}))
}

func envelope(p *problem) obj {
	return obj{"error": obj{"code": p.code, "message": p.message, "details": p.details}}
}

func write(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	encoded, err := json.Marshal(body)
	if err != nil {
		status, encoded = http.StatusInternalServerError, []byte(`{"error":{"code":"server_error","message":"the answer cannot be encoded","details":null}}`)
	}
	w.WriteHeader(status)
	w.Write(encoded) // the client is gone when this fails: nobody to tell
}

func notFound(kind string, id any) *problem {
	if name, ok := id.(string); ok {
		return &problem{status: 404, code: "not_found", message: fmt.Sprintf("%s with name '%s' not found", kind, name)}
	}
	return &problem{status: 404, code: "not_found", message: fmt.Sprintf("%s with ID '%d' not found", kind, id)}
}

// invalid is invalid_input, with the field in the details as the vendor does.
func invalid(field, format string, args ...any) *problem {
	said := fmt.Sprintf(format, args...)
	return &problem{
		status: 422, code: "invalid_input", message: fmt.Sprintf("invalid input in field '%s'", field),
		details: obj{"fields": []obj{{"name": field, "messages": []string{said}}}},
	}
}

func refused(code, format string, args ...any) *problem {
	return &problem{status: 422, code: code, message: fmt.Sprintf(format, args...)}
}

func taken(kind string) *problem {
	return &problem{
		status: 409, code: "uniqueness_error", message: kind + " name is already used",
		details: obj{"fields": []obj{{"name": "name"}}},
	}
}

func locked(kind string) *problem {
	return &problem{status: 423, code: "locked", message: kind + " is locked"}
}

func protected(what string) *problem {
	return &problem{status: 423, code: "protected", message: what + " is protected"}
}

func unavailable(message string) *problem {
	return &problem{status: 412, code: "resource_unavailable", message: message}
}
