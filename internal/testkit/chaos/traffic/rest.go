package traffic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// rest is the API of one daemon. It knows the API by its document only.
type rest struct {
	t      *Traffic
	daemon Daemon
}

func (r rest) name() string { return r.daemon.Region + "-" + r.daemon.Node }

func (r rest) hasLabels() bool { return true }

// problem is an error response.
type problem struct {
	Code     string          `json:"code"`
	Detail   string          `json:"detail"`
	Current  json.RawMessage `json:"current"`
	Revision int64           `json:"revision"`
}

// response is a complete response.
type response struct {
	status int
	header http.Header
	body   []byte
}

// call implements target.
func (r rest) call(ctx context.Context, call *recording.Call) {
	call.Node = r.daemon.Name()
	switch call.Method {
	case recording.Get:
		r.send(ctx, call, http.MethodGet, "", nil)
	case recording.List:
		r.list(ctx, call)
	case recording.History:
		r.history(ctx, call)
	case recording.Put, recording.PutIf:
		r.send(ctx, call, http.MethodPut, "", call.Input)
	case recording.Delete:
		r.send(ctx, call, http.MethodDelete, "", nil)
	case recording.SetLabels:
		r.send(ctx, call, http.MethodPost, "/labels", call.Input)
	case recording.UpdateStatus:
		r.send(ctx, call, http.MethodPost, "/status", map[string]any{"expected_from": call.From, "expected_container_id": call.ContainerID, "to": call.To})
	default:
		call.Outcome, call.Error = recording.Rejected, fmt.Sprintf("method %s is not one of records", call.Method)
	}
}

// send sends a request about the game of the call and fills in the result.
func (r rest) send(ctx context.Context, call *recording.Call, method, suffix string, body any) (response, bool) {
	path := "/v1/runtimes/" + url.PathEscape(call.Game) + suffix
	if call.Local {
		path += "?consistency=local"
	}
	headers := map[string]string{}
	if call.OperationID != "" {
		headers["Idempotency-Key"] = call.OperationID
	}
	if call.Method == recording.PutIf {
		headers["If-Match"] = fmt.Sprintf("%q", strconv.FormatInt(call.IfRevision, 10))
		if call.IfRevision == 0 {
			delete(headers, "If-Match")
			headers["If-None-Match"] = "*"
		}
	}
	resp, err := r.do(ctx, method, path, body, headers)
	if call.Local {
		call.AsOf, _ = strconv.ParseInt(resp.header.Get("Rtmanager-As-Of"), 10, 64)
	}
	if !r.setOutcome(call, resp, err) {
		return resp, false
	}
	if tag := strings.Trim(resp.header.Get("ETag"), `"`); tag != "" {
		call.Revision, _ = strconv.ParseInt(tag, 10, 64)
	}
	if suffix != "/history" && len(resp.body) > 0 && resp.body[0] == '{' && method != http.MethodDelete && !call.Method.IsLifecycle() {
		call.Output = resp.body
	}
	return resp, true
}

// do sends a request. The error is that of a request without a complete response.
func (r rest) do(ctx context.Context, method, path string, body any, headers map[string]string) (response, error) {
	var encoded io.Reader
	if body != nil {
		content, err := json.Marshal(body)
		if err != nil {
			return response{}, err
		}
		encoded = bytes.NewReader(content)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.daemon.URL+path, encoded)
	if err != nil {
		return response{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := r.t.http.Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(resp.Body)
	return response{status: resp.StatusCode, header: resp.Header, body: content}, err
}

// setOutcome fills in the outcome of a response. It reports whether the call is done.
func (r rest) setOutcome(call *recording.Call, resp response, err error) bool {
	if err != nil {
		call.Outcome, call.Error = recording.Unknown, shorten(err)
		return false
	}
	if resp.status < http.StatusBadRequest {
		call.Outcome = recording.Done
		return true
	}
	var p problem
	if err := json.Unmarshal(resp.body, &p); err != nil || p.Code == "" {
		call.Outcome, call.Error = recording.Unknown, fmt.Sprintf("%d without a problem document", resp.status)
		return false
	}
	call.Error = fmt.Sprintf("%d %s: %s", resp.status, p.Code, p.Detail)
	switch p.Code {
	case "not_found":
		call.Outcome = recording.NotFound
	case "conflict", "precondition_failed":
		call.Outcome, call.Output, call.Revision = recording.Conflict, p.Current, p.Revision
	case "unavailable", "read_only", "rate_limited", "no_quorum":
		call.Outcome = recording.Unavailable
	case "rejected", "busy", "managed", "invalid", "invalid_transition", "fenced", "no_capacity", "too_many_operations", "idempotency_key_reused":
		call.Outcome = recording.Rejected
	default:
		call.Outcome = recording.Unknown
	}
	return false
}

// page is one page of a list.
type page struct {
	Revision      int64             `json:"revision"`
	Items         []json.RawMessage `json:"items"`
	ItemRevisions []int64           `json:"item_revisions"`
	Continue      string            `json:"continue"`
}

// list reads the pages of a list. The clients of other runs may have games, which are left out.
func (r rest) list(ctx context.Context, call *recording.Call) {
	for next := ""; ; {
		query := url.Values{"limit": {"4"}, "region": {NoRegion}}
		if call.Local {
			query.Set("consistency", "local")
		}
		if call.Status != "" {
			query.Set("status", call.Status)
		}
		if next != "" {
			query.Set("continue", next)
		}
		resp, err := r.do(ctx, http.MethodGet, "/v1/runtimes?"+query.Encode(), nil, nil)
		if !r.setOutcome(call, resp, err) {
			call.Items, call.Revision = nil, 0
			return
		}
		var got page
		if err := json.Unmarshal(resp.body, &got); err != nil || len(got.Items) != len(got.ItemRevisions) {
			call.Outcome, call.Error = recording.Unknown, fmt.Sprintf("malformed page: %v", err)
			return
		}
		if call.Revision != 0 && call.Revision != got.Revision {
			call.Error = fmt.Sprintf("pages at the revisions %d and %d", call.Revision, got.Revision)
		}
		call.Revision = got.Revision
		for i, encoded := range got.Items {
			record, err := decodeRecord(encoded)
			if err == nil && strings.HasPrefix(record.GameID, r.t.cfg.Run+"-record-") {
				call.Items = append(call.Items, recording.Item{Game: record.GameID, Revision: got.ItemRevisions[i], Status: record.Status, ContainerID: record.ContainerID})
			}
		}
		if next = got.Continue; next == "" {
			return
		}
	}
}

func (r rest) history(ctx context.Context, call *recording.Call) {
	resp, isDone := r.send(ctx, call, http.MethodGet, "/history", nil)
	if !isDone {
		return
	}
	var got struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(resp.body, &got); err != nil {
		call.Outcome, call.Error = recording.Unknown, shorten(err)
		return
	}
	call.Entries = got.Items
}

// shorten returns the text of an error without the request that it is about.
func shorten(err error) string {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	return err.Error()
}
