package cloudflaresim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cf "github.com/cloudflare/cloudflare-go"

	"github.com/webhost-systems/drhost/bindings/cloudflare/cloudflaresim"
)

// hand is a clock that is moved by hand.
type hand struct {
	mu  sync.Mutex
	now time.Time
}

func newHand() *hand { return &hand{now: time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)} }

func (h *hand) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}
func (h *hand) Speed() float64 { return 1 }
func (h *hand) Sleep(_ context.Context, d time.Duration) error {
	h.move(d)
	return nil
}
func (h *hand) move(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

const token = "drill-token-0123456789"

type account struct {
	sim   *cloudflaresim.Sim
	clock *hand
	url   string
	api   *cf.API
	zone  *cf.ResourceContainer
}

func newAccount(t *testing.T, o cloudflaresim.Options) *account {
	t.Helper()
	a := &account{clock: newHand()}
	o.Clock, o.Token = a.clock, token
	a.sim = cloudflaresim.New(o)
	a.zone = cf.ZoneIdentifier(a.sim.AddZone("webhost.systems"))
	server := httptest.NewServer(a.sim.Handler())
	t.Cleanup(server.Close)
	a.url = server.URL + "/client/v4"
	a.api = client(t, a.url, token)
	return a
}

func client(t *testing.T, url, token string) *cf.API {
	t.Helper()
	api, err := cf.NewWithAPIToken(token, cf.BaseURL(url), cf.UsingRetryPolicy(0, 0, 0), cf.UsingRateLimit(10000))
	if err != nil {
		t.Fatal(err)
	}
	return api
}

func (a *account) add(t *testing.T, r cloudflaresim.Record) string {
	t.Helper()
	id, err := a.sim.AddRecord("webhost.systems", r)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func codes(err error) []int {
	var e *cf.Error
	if !errors.As(err, &e) {
		return nil
	}
	return e.ErrorCodes
}

func wantCode(t *testing.T, err error, code int) {
	t.Helper()
	if !slices.Contains(codes(err), code) {
		t.Errorf("got error %v, want code %d", err, code)
	}
}

func TestRealClientCreatesChangesAndDeletes(t *testing.T) {
	a, ctx := newAccount(t, cloudflaresim.Options{}), context.Background()
	made, err := a.api.CreateDNSRecord(ctx, a.zone, cf.CreateDNSRecordParams{Type: "A", Name: "hobby", Content: "203.0.113.10", TTL: 60, Comment: "drhost k1"})
	if err != nil {
		t.Fatal(err)
	}
	if made.Name != "hobby.webhost.systems" || made.TTL != 60 || made.Comment != "drhost k1" || !made.Proxiable || made.ID == "" {
		t.Errorf("created %+v", made)
	}
	changed, err := a.api.UpdateDNSRecord(ctx, a.zone, cf.UpdateDNSRecordParams{ID: made.ID, Content: "203.0.113.11"})
	if err != nil {
		t.Fatal(err)
	}
	if changed.Content != "203.0.113.11" || changed.TTL != 60 || changed.Comment != "drhost k1" {
		t.Errorf("a PATCH of the content changed more: %+v", changed)
	}
	if err := a.api.DeleteDNSRecord(ctx, a.zone, made.ID); err != nil {
		t.Fatal(err)
	}
	_, err = a.api.GetDNSRecord(ctx, a.zone, made.ID)
	wantCode(t, err, 81044)
	if got := a.sim.Records("webhost.systems"); len(got) != 0 {
		t.Errorf("left behind: %+v", got)
	}
}

func TestProxiedAndAutomaticTTL(t *testing.T) {
	a, yes := newAccount(t, cloudflaresim.Options{}), true
	made, err := a.api.CreateDNSRecord(context.Background(), a.zone, cf.CreateDNSRecordParams{Type: "A", Name: "@", Content: "203.0.113.10", TTL: 300, Proxied: &yes})
	if err != nil {
		t.Fatal(err)
	}
	if made.TTL != 1 || made.Name != "webhost.systems" {
		t.Errorf("a proxied record has ttl %d and name %s, want 1 and the zone's", made.TTL, made.Name)
	}
}

func TestRefusals(t *testing.T) {
	a, ctx, yes := newAccount(t, cloudflaresim.Options{}), context.Background(), true
	a.add(t, cloudflaresim.Record{Name: "www", Type: "A", Content: "203.0.113.10", TTL: 60})
	a.add(t, cloudflaresim.Record{Name: "alias", Type: "CNAME", Content: "www.webhost.systems"})
	for _, c := range []struct {
		r    cf.CreateDNSRecordParams
		code int
	}{
		{cf.CreateDNSRecordParams{Type: "A", Name: "x", Content: "not-an-address"}, 9005},
		{cf.CreateDNSRecordParams{Type: "AAAA", Name: "x", Content: "203.0.113.1"}, 9006},
		{cf.CreateDNSRecordParams{Type: "CNAME", Name: "x", Content: "203.0.113.1"}, 9007},
		{cf.CreateDNSRecordParams{Type: "A", Name: "x", Content: "203.0.113.1", TTL: 30}, 9021},
		{cf.CreateDNSRecordParams{Type: "TXT", Name: "x", Content: "v", Proxied: &yes}, 9004},
		{cf.CreateDNSRecordParams{Type: "WAT", Name: "x", Content: "v"}, 9020},
		{cf.CreateDNSRecordParams{Type: "A", Name: "a..b", Content: "203.0.113.1"}, 9000},
		{cf.CreateDNSRecordParams{Type: "CNAME", Name: "www", Content: "elsewhere.example"}, 81053},
		{cf.CreateDNSRecordParams{Type: "A", Name: "alias", Content: "203.0.113.1"}, 81054},
		{cf.CreateDNSRecordParams{Type: "A", Name: "www", Content: "203.0.113.10", TTL: 60}, 81058},
		{cf.CreateDNSRecordParams{Type: "A", Name: "www", Content: "203.0.113.10", TTL: 120}, 81057},
	} {
		_, err := a.api.CreateDNSRecord(ctx, a.zone, c.r)
		wantCode(t, err, c.code)
	}
	wantCode(t, a.api.DeleteDNSRecord(ctx, a.zone, "0123456789abcdef0123456789abcdef"), 81044)
	if _, err := a.api.CreateDNSRecord(ctx, a.zone, cf.CreateDNSRecordParams{Type: "A", Name: "www", Content: "203.0.113.11", TTL: 60}); err != nil {
		t.Errorf("a second address of the same name: %v", err)
	}
	_, _, err := a.api.ListDNSRecords(ctx, cf.ZoneIdentifier("nonsense"), cf.ListDNSRecordsParams{})
	wantCode(t, err, 7003)
}

func TestTokens(t *testing.T) {
	a, ctx := newAccount(t, cloudflaresim.Options{}), context.Background()
	if v, err := a.api.VerifyAPIToken(ctx); err != nil || v.Status != "active" {
		t.Errorf("verify: %+v, %v", v, err)
	}
	wrong := client(t, a.url, "another-token")
	_, err := wrong.ListZones(ctx)
	wantCode(t, err, 10000)
	_, err = wrong.VerifyAPIToken(ctx)
	wantCode(t, err, 1000)
	a.sim.RevokeToken()
	_, err = a.api.ListZones(ctx)
	wantCode(t, err, 10000)
	a.sim.AllowToken()
	if _, err = a.api.ListZones(ctx); err != nil {
		t.Error(err)
	}
	_, body := a.raw(t, http.MethodGet, "/zones", "", "Authorization", "Basic x")
	if !strings.Contains(body, "6111") || !strings.Contains(body, "6003") {
		t.Errorf("malformed credential: %s", body)
	}
}

// raw sends a request of its own making.
func (a *account) raw(t *testing.T, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, a.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestPagesUntilAnEmptyOne(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	for i := range 230 {
		a.add(t, cloudflaresim.Record{Name: fmt.Sprintf("h%03d", i), Type: "A", Content: "203.0.113.10"})
	}
	all, info, err := a.api.ListDNSRecords(context.Background(), a.zone, cf.ListDNSRecordsParams{})
	if err != nil || len(all) != 230 || info.Total != 230 {
		t.Errorf("listed %d of 230, %+v, %v", len(all), info, err)
	}
	seen := 0
	for page := 1; ; page++ {
		_, body := a.raw(t, http.MethodGet, fmt.Sprintf("/zones/%s/dns_records?per_page=50&page=%d", a.zone.Identifier, page), "")
		var got struct{ Result []any }
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Result) == 0 {
			if page != 6 {
				t.Errorf("page %d was empty", page)
			}
			break
		}
		seen += len(got.Result)
	}
	if seen != 230 {
		t.Errorf("%d records by hand, want 230", seen)
	}
	for i := range 60 {
		a.sim.AddZone(fmt.Sprintf("z%02d.example", i))
	}
	zones, err := a.api.ListZones(context.Background())
	if err != nil || len(zones) != 61 || zones[60].ID == "" {
		t.Errorf("%d zones, %v", len(zones), err)
	}
}

func TestFilters(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	a.add(t, cloudflaresim.Record{Name: "a", Type: "A", Content: "203.0.113.1", Comment: "drhost abc"})
	a.add(t, cloudflaresim.Record{Name: "a", Type: "A", Content: "203.0.113.2"})
	a.add(t, cloudflaresim.Record{Name: "b", Type: "TXT", Content: "hello"})
	for query, want := range map[string]int{
		"name=a.webhost.systems": 2, "name=a": 0, "type=TXT": 1, "content=203.0.113.2": 1,
		"comment.contains=drhost": 1, "comment.absent=": 2, "name.startswith=b": 1,
		"match=any&content=hello&content.endswith=.1": 2, "match=any&content=hello&type=A": 3, "": 3,
	} {
		_, body := a.raw(t, http.MethodGet, "/zones/"+a.zone.Identifier+"/dns_records?"+query, "")
		var got struct{ Result []any }
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Result) != want {
			t.Errorf("%s: %d records, want %d", query, len(got.Result), want)
		}
	}
}

func TestRateLimit(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{RateLimit: 3, Speed: 10})
	for range 3 {
		if resp, _ := a.raw(t, http.MethodGet, "/zones", ""); resp.StatusCode != 200 || !strings.Contains(resp.Header.Get("Ratelimit"), `"default";r=`) {
			t.Errorf("status %d, Ratelimit %q", resp.StatusCode, resp.Header.Get("Ratelimit"))
		}
	}
	resp, body := a.raw(t, http.MethodGet, "/zones", "")
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "300" || resp.Header.Get("Cf-Ray") == "" || !strings.Contains(body, `"success":false`) {
		t.Errorf("status %d, Retry-After %q, %s", resp.StatusCode, resp.Header.Get("Retry-After"), body)
	}
	a.clock.move(31 * time.Second) // five minutes at speed 10
	if resp, _ := a.raw(t, http.MethodGet, "/zones", ""); resp.StatusCode != 200 {
		t.Errorf("after the window: %d", resp.StatusCode)
	}
}

func TestBatchIsAllOrNothing(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	old := a.add(t, cloudflaresim.Record{Name: "www", Type: "A", Content: "203.0.113.10"})
	path := "/zones/" + a.zone.Identifier + "/dns_records/batch"
	bad := fmt.Sprintf(`{"deletes":[{"id":%q}],"posts":[{"type":"A","name":"www","content":"nonsense"}]}`, old)
	if resp, _ := a.raw(t, http.MethodPost, path, bad); resp.StatusCode != 400 {
		t.Errorf("status %d", resp.StatusCode)
	}
	if got := a.sim.Records("webhost.systems"); len(got) != 1 || got[0].ID != old {
		t.Errorf("a refused batch left %+v", got)
	}
	good := fmt.Sprintf(`{"deletes":[{"id":%q}],"posts":[{"type":"CNAME","name":"www","content":"lb.example"}]}`, old)
	if resp, body := a.raw(t, http.MethodPost, path, good); resp.StatusCode != 200 || !strings.Contains(body, `"posts":[{`) {
		t.Errorf("status %d: %s", resp.StatusCode, body)
	}
	if got := a.sim.Records("webhost.systems"); len(got) != 1 || got[0].Type != "CNAME" {
		t.Errorf("a batch left %+v", got)
	}
}

func TestExport(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	a.add(t, cloudflaresim.Record{Name: "www", Type: "A", Content: "203.0.113.10", TTL: 60})
	a.add(t, cloudflaresim.Record{Name: "@", Type: "MX", Content: "mail.webhost.systems", Priority: 10})
	text, err := a.api.ExportDNSRecords(context.Background(), a.zone, cf.ExportDNSRecordsParams{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"www.webhost.systems.\t60\tIN\tA\t203.0.113.10", "MX\t10 mail.webhost.systems.", "SOA"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestStructuredRecords(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	path := "/zones/" + a.zone.Identifier + "/dns_records"
	resp, body := a.raw(t, http.MethodPost, path, `{"type":"SRV","name":"_sip._tcp","data":{"priority":5,"weight":10,"port":5060,"target":"sip.example"}}`)
	if resp.StatusCode != 200 || !strings.Contains(body, `"content":"10 5060 sip.example"`) || !strings.Contains(body, `"port":5060`) {
		t.Errorf("SRV: %d %s", resp.StatusCode, body)
	}
	resp, body = a.raw(t, http.MethodPost, path, `{"type":"CAA","name":"@","data":{"flags":0,"tag":"issue","value":"letsencrypt.org"}}`)
	if resp.StatusCode != 200 || !strings.Contains(body, `"tag":"issue"`) {
		t.Errorf("CAA: %d %s", resp.StatusCode, body)
	}
	for _, c := range []struct{ method, body string }{{http.MethodPost, `{"type":`}, {http.MethodPut, `[]`}} {
		if resp, _ := a.raw(t, c.method, path, c.body); resp.StatusCode < 400 {
			t.Errorf("%s %s: %d", c.method, c.body, resp.StatusCode)
		}
	}
}

func TestPutFallsBackToDefaults(t *testing.T) {
	a := newAccount(t, cloudflaresim.Options{})
	id := a.add(t, cloudflaresim.Record{Name: "www", Type: "A", Content: "203.0.113.10", TTL: 60, Comment: "old"})
	resp, body := a.raw(t, http.MethodPut, "/zones/"+a.zone.Identifier+"/dns_records/"+id, `{"type":"A","name":"www","content":"203.0.113.11"}`)
	got := a.sim.Records("webhost.systems")
	if resp.StatusCode != 200 || got[0].TTL != 1 || got[0].Comment != "" || got[0].ID != id {
		t.Errorf("%s: %+v", body, got)
	}
}

func TestWriteError(t *testing.T) {
	w := httptest.NewRecorder()
	cloudflaresim.WriteError(w, 502, 10001, "upstream")
	if w.Code != 502 || !bytes.Contains(w.Body.Bytes(), []byte(`"errors":[{"code":10001,"message":"upstream"}]`)) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
