package fly

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
)

// Line is one line of an app's log.
type Line struct {
	At      time.Time `lua:"at,optional" doc:"When it was written."`
	Level   string    `lua:"level" doc:"info, warn, error, ..."`
	Machine string    `lua:"machine" doc:"Id of the machine."`
	Region  string    `lua:"region" doc:"Its region."`
	Text    string    `lua:"text" doc:"What it says."`
}

type logsArgs struct {
	App      string        `lua:"app" doc:"Name of the app."`
	Since    time.Duration `lua:"since" default:"1h" doc:"How far back."`
	Machine  string        `lua:"machine,optional" doc:"Only lines of this machine, by id."`
	Region   string        `lua:"region,optional" doc:"Only lines of this region."`
	Contains string        `lua:"contains,optional" doc:"Only lines with this text in them, in upper or lower case."`
	Limit    int           `lua:"limit" default:"200" doc:"How many of the newest lines at most: the answer goes into the journal."`
}

var readLogs = binding.Func[*Client, logsArgs, []Line]{
	Name: "logs", Effect: binding.Reads,
	Doc:     "The log of an app, the oldest line first. Fly keeps it for some days and gives it by pages; what is older than since is left out here.",
	Raises:  raises(),
	Example: `fly.logs { app = "webhost-prod-db", since = "1h", contains = "error" }`,
	Target:  "app",
	Call:    (*Client).logs,
}

// mostPages bounds how many pages of a log are read.
const mostPages = 50

type wireLine struct {
	Attributes struct {
		Timestamp string `json:"timestamp"`
		Message   string `json:"message"`
		Level     string `json:"level"`
		Instance  string `json:"instance"`
		Region    string `json:"region"`
		Meta      struct {
			Instance string `json:"instance"`
			Region   string `json:"region"`
		} `json:"meta"`
	} `json:"attributes"`
}

func (c *Client) logs(ctx context.Context, a logsArgs) ([]Line, error) {
	op := "read the log of " + a.App
	from := c.clock.Now().Add(c.skew() - a.Since)
	// A token is the moment after which the lines come, in nanoseconds. Fly does
	// not promise it: when it takes none of ours, the newest page has to do.
	out, token := []Line{}, strconv.FormatInt(from.UnixNano(), 10)
	for n := range mostPages {
		first := n == 0
		query := url.Values{"next_token": {token}}
		if a.Machine != "" {
			query.Set("instance", a.Machine)
		}
		if a.Region != "" {
			query.Set("region", a.Region)
		}
		var page struct {
			Data []wireLine `json:"data"`
			Meta struct {
				Next string `json:"next_token"`
			} `json:"meta"`
		}
		err := c.do(ctx, op, request{action: "logs", subject: a.App, method: "GET", url: c.api + "/api/v1/apps/" + url.PathEscape(a.App) + "/logs?" + query.Encode()}, &page)
		if fault.KindOf(err) == fault.Invalid && first {
			token = ""
			continue
		}
		if err != nil {
			return nil, c.unknownApp(ctx, a.App, err)
		}
		for _, l := range page.Data {
			if line := lineOf(l); a.wants(line, from) {
				out = append(out, line)
			}
		}
		if len(page.Data) == 0 || page.Meta.Next == "" || page.Meta.Next == token {
			break
		}
		token = page.Meta.Next
	}
	slices.SortStableFunc(out, func(a, b Line) int { return a.At.Compare(b.At) })
	if a.Limit > 0 && len(out) > a.Limit {
		out = out[len(out)-a.Limit:]
	}
	return out, nil
}

func (a logsArgs) wants(l Line, from time.Time) bool {
	return (l.At.IsZero() || !l.At.Before(from)) && strings.Contains(strings.ToLower(l.Text), strings.ToLower(a.Contains))
}

func lineOf(l wireLine) Line {
	at := l.Attributes
	out := Line{At: moment(at.Timestamp), Level: at.Level, Machine: at.Instance, Region: at.Region, Text: at.Message}
	if out.Machine == "" {
		out.Machine = at.Meta.Instance
	}
	if out.Region == "" {
		out.Region = at.Meta.Region
	}
	return out
}
