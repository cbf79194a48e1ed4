package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/daemonhttp"
	"galaxy/rtmanager/internal/domain/federation"
)

// maxProbeBytes bounds how much of the response to a probe is read.
const maxProbeBytes = 1 << 20

// probeResult is the result of one probe.
type probeResult struct {
	url      string
	state    federation.State
	reason   string // empty if the state is ready
	storeID  string
	version  string
	revision int64
}

// isUsable reports whether requests can be sent to the URL.
func (p probeResult) isUsable() bool {
	return p.state == federation.StateReady || p.state == federation.StateDegraded
}

// probeURLs probes all URLs of a store concurrently. It returns the result of the first URL, in
// their order, that is ready, and otherwise the first degraded one, and otherwise the first.
func (c *Client) probeURLs(ctx context.Context, r *remote) probeResult {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make([]chan probeResult, len(r.setting.URLs))
	for i, url := range r.setting.URLs {
		results[i] = make(chan probeResult, 1)
		go func() { results[i] <- c.probeURL(ctx, url) }()
	}
	var best probeResult
	for i, pending := range results {
		result := <-pending
		if result.state == federation.StateReady {
			return result
		}
		if i == 0 || result.isUsable() && !best.isUsable() {
			best = result
		}
	}
	return best
}

// probeURL probes one daemon. A description of the store needs its etcd. If that does not respond,
// the identity that the daemon states without etcd makes the store a degraded one.
func (c *Client) probeURL(ctx context.Context, base string) probeResult {
	identity := make(chan string, 1)
	go func() { identity <- c.readIdentity(ctx, base) }()
	result := c.describe(ctx, base)
	if result.state != federation.StateDegraded && (result.state != federation.StateUnreachable || ctx.Err() == nil) {
		return result
	}
	if result.storeID = <-identity; result.storeID == "" {
		result.state = federation.StateUnreachable
		return result
	}
	result.state, result.reason = federation.StateDegraded, "responds at "+base+", and its etcd does not"
	return result
}

// readIdentity returns the identity of the store from a response that needs no etcd, empty if
// there is none.
func (c *Client) readIdentity(ctx context.Context, base string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/auth", nil)
	if err != nil {
		return ""
	}
	response, err := c.roundTrip(request, base)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxProbeBytes))
	if response.StatusCode != http.StatusOK {
		return ""
	}
	return response.Header.Get(api.HeaderStore)
}

// describe requests the description of the store from one daemon.
func (c *Client) describe(ctx context.Context, base string) probeResult {
	failed := func(state federation.State, format string, args ...any) probeResult {
		return probeResult{url: base, state: state, reason: fmt.Sprintf(format, args...)}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/cluster", nil)
	if err != nil {
		return failed(federation.StateUnreachable, "has no valid URL: %v", err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := c.roundTrip(request, base)
	if err != nil {
		return failed(federation.StateUnreachable, "%s", c.unreachableReason(ctx, base, err))
	}
	defer func() { _ = response.Body.Close() }()
	body := io.LimitReader(response.Body, maxProbeBytes)
	switch {
	case response.StatusCode == http.StatusOK && daemonhttp.MediaType(response) == "application/json":
		var cluster api.Cluster
		if err := json.NewDecoder(body).Decode(&cluster); err != nil {
			return failed(federation.StateIncompatible, "sends a malformed response at %s: %v", base, err)
		}
		return c.classify(base, cluster)
	case daemonhttp.IsProblem(response):
		var p api.Problem
		if err := json.NewDecoder(body).Decode(&p); err != nil || p.Code == "" {
			return failed(federation.StateIncompatible, "sends a malformed response at %s", base)
		}
		return failed(stateOfProblem(p, response.StatusCode), "rejects the request of this daemon at %s: %s", base, p.Error())
	case response.StatusCode >= http.StatusInternalServerError:
		return failed(federation.StateUnreachable, "does not respond at %s: %s", base, response.Status)
	default:
		return failed(federation.StateIncompatible, "is no rtmanager daemon of this API at %s: %s", base, response.Status)
	}
}

// classify returns the result for a description of the store.
func (c *Client) classify(base string, cluster api.Cluster) probeResult {
	result := probeResult{url: base, state: federation.StateIncompatible, version: cluster.Version, revision: cluster.Revision, storeID: cluster.StoreID}
	version := max(cluster.APIVersion, 1) // a daemon that does not state it has the first one
	switch {
	case version != api.Version:
		result.reason = fmt.Sprintf("has version %d of the API at %s (daemon %s), and this daemon has version %d; run daemons of one version of the API", version, base, cluster.Version, api.Version)
	case cluster.APIVersion == 0 && c.cfg.RequireNodeIdentity:
		result.reason = fmt.Sprintf("runs daemon %s at %s, which accepts no callers of other stores; update it", cluster.Version, base)
	case cluster.StoreID == "":
		result.reason = "sends no identity of its store at " + base
	default:
		result.state = federation.StateReady
	}
	return result
}

// stateOfProblem returns the state of a store whose daemon responds with a problem.
func stateOfProblem(p api.Problem, status int) federation.State {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return federation.StateDenied
	case p.Code == api.CodeUnavailable:
		return federation.StateDegraded
	case p.Code == api.CodeNoSuchRoute:
		return federation.StateIncompatible
	default:
		return federation.StateUnreachable
	}
}

// unreachableReason returns why a daemon did not respond, to continue a sentence about its store.
func (c *Client) unreachableReason(ctx context.Context, base string, err error) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "did not respond in time at " + base
	}
	return "does not respond at " + base + ": " + err.Error()
}
