package daemon_test

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/certtest"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// securedPair is two daemons, eu/n1 and us/n2, with one etcd, which authenticate all callers.
type securedPair struct {
	ca     *certtest.Authority
	first  *runningDaemon
	second *runningDaemon
	caFile string // of the client certificates of the first daemon
}

func startSecuredPair(t *testing.T, tune ...func(*config.Config)) *securedPair {
	t.Helper()
	p := &securedPair{ca: certtest.NewAuthority(t, "ca")}
	base := externalSettings(t, etcdtest.Start(t).Endpoint())
	startNode := func(region, name string) *runningDaemon {
		cfg := base
		cfg.DataDir, cfg.Engine, cfg.Region, cfg.Node = t.TempDir(), config.EngineProcess, region, name
		killGamesAtEnd(t, cfg.DataDir)
		image := filepath.Join(cfg.DataDir, "images", "game", "1")
		require.NoError(t, os.MkdirAll(filepath.Dir(image), 0o755))
		require.NoError(t, os.WriteFile(image, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755))
		withCertificate(t, &cfg, p.ca, p.ca.IssueNode(t, region+"/"+name))
		p.caFile = cmp.Or(p.caFile, cfg.TLSClientCA)
		for _, change := range tune {
			change(&cfg)
		}
		return start(t, cfg)
	}
	p.first, p.second = startNode("eu", "n1"), startNode("us", "n2")
	return p
}

// caller sends requests with a client certificate, a token, both or neither.
type caller struct {
	t      *testing.T
	client *http.Client
	token  string
}

// as returns a caller with the client certificate.
func (p *securedPair) as(t *testing.T, leaf *certtest.Leaf) caller {
	t.Helper()
	cfg := &tls.Config{RootCAs: p.ca.Pool()}
	if leaf != nil {
		cfg.Certificates = []tls.Certificate{leaf.TLS}
	}
	transport := &http.Transport{TLSClientConfig: cfg}
	t.Cleanup(transport.CloseIdleConnections)
	return caller{t: t, client: &http.Client{Timeout: timeout, Transport: transport}}
}

func (p *securedPair) issue(t *testing.T, name, organization string, change ...func(*x509.Certificate)) *certtest.Leaf {
	t.Helper()
	leaf := p.ca.Issue(t, pkix.Name{CommonName: name, Organization: []string{organization}}, change...)
	return &leaf
}

func (p *securedPair) admin(t *testing.T) caller {
	t.Helper()
	return p.as(t, p.issue(t, "root", access.AdminsOrganization))
}

// newToken creates a token at the first daemon, and returns a caller that sends it.
func (p *securedPair) newToken(t *testing.T, name string, grants ...string) caller {
	t.Helper()
	request := api.TokenRequest{Name: name}
	for _, text := range grants {
		grant, err := access.ParseGrant(text)
		require.NoError(t, err)
		request.Grants = append(request.Grants, grant)
	}
	body, err := json.Marshal(request)
	require.NoError(t, err)
	status, text := p.admin(t).send("POST", p.first.API+"/v1/tokens", string(body))
	require.Equal(t, 200, status, text)
	var created api.NewToken
	require.NoError(t, json.Unmarshal([]byte(text), &created))
	c := p.as(t, nil)
	c.token = created.Text
	return c
}

// open sends a request. The headers are "Name: value".
func (c caller) open(method, url, body string, headers ...string) (*http.Response, error) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, url, strings.NewReader(body))
	require.NoError(c.t, err)
	request.Header.Set("Accept", "application/json, application/x-ndjson")
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	return c.client.Do(request)
}

// send returns the status and the body of the response, and 0 if there is none.
func (c caller) send(method, url, body string, headers ...string) (status int, text string) {
	c.t.Helper()
	response, err := c.open(method, url, body, headers...)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	return response.StatusCode, string(read)
}

// watch opens a watch of a store without records, and returns its stream after the snapshot.
func (c caller) watch(d *runningDaemon) *bufio.Reader {
	c.t.Helper()
	response, err := c.open("GET", d.API+"/v1/watch", "")
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = response.Body.Close() })
	stream := bufio.NewReader(response.Body)
	line, err := stream.ReadString('\n')
	require.NoError(c.t, err)
	require.Contains(c.t, line, `"synced"`)
	return stream
}

// requireUnauthenticated reads the stream until it ends, because its caller has no identity any
// more.
func requireUnauthenticated(t *testing.T, stream *bufio.Reader) {
	t.Helper()
	line := ""
	for !strings.Contains(line, `"final":true`) {
		var err error
		line, err = stream.ReadString('\n')
		require.NoError(t, err)
	}
	require.Contains(t, line, `"unauthenticated"`)
}

// A daemon forwards the identity of the caller: the other one authorizes the caller itself, and
// records it as the actor.
func TestForwardedCallers(t *testing.T) {
	t.Parallel()
	p := startSecuredPair(t)
	operator, reader, european := p.newToken(t, "ops", "operator"), p.newToken(t, "read", "reader"), p.newToken(t, "eu", "operator@eu")
	const start = `{"image":"game:1","health_path":"none","region":"us"}`
	status, text := operator.send("POST", p.first.API+"/v1/runtimes/g/start", start)
	require.Equal(t, 200, status, text)
	for name, c := range map[string]caller{"reader": reader, "operator of another region": european} {
		for _, d := range []*runningDaemon{p.first, p.second} {
			status, text = c.send("POST", d.API+"/v1/runtimes/g/stop", "")
			require.Equal(t, 403, status, "%s: %s", name, text)
		}
	}
	status, text = european.send("POST", p.first.API+"/v1/runtimes/h/start", start)
	require.Equal(t, 403, status, text)
	status, text = european.send("GET", p.second.API+"/v1/runtimes", "")
	require.Equal(t, 200, status, text)
	require.Contains(t, text, `"items":[]`)
	ada := p.as(t, p.issue(t, "ada", "ops"))
	status, _ = ada.send("POST", p.first.API+"/v1/runtimes/g/stop", "")
	require.Equal(t, 403, status, "no role")
	status, text = p.admin(t).send("POST", p.first.API+"/v1/roles/grant", `{"subject":"group:ops","grant":"operator:g*"}`)
	require.Equal(t, 200, status, text)
	require.Eventually(t, func() bool {
		status, text = ada.send("POST", p.first.API+"/v1/runtimes/g/stop", "")
		return status == 200
	}, timeout, 50*time.Millisecond, "by a group, which the other daemon reads within seconds")
	status, text = operator.send("GET", p.second.API+"/v1/runtimes/g/history", "")
	require.Equal(t, 200, status, text)
	require.Contains(t, text, `"actor":"token:ops"`)
	require.Contains(t, text, `"actor":"user:ada"`)
}

// Only a daemon, under the name of its own certificate, names the caller of a request.
func TestForgedForwarding(t *testing.T) {
	t.Parallel()
	p := startSecuredPair(t)
	identity := "Rtmanager-Forwarded-Identity: " + api.EncodeIdentity(access.Identity{Subject: "user:root", Groups: []string{"group:" + access.AdminsOrganization}})
	daemon := p.as(t, p.issue(t, "eu/n9", access.NodesOrganization))
	for name, row := range map[string]struct {
		caller  caller
		headers []string
		status  int
	}{
		"no credentials":          {p.as(t, nil), []string{"Rtmanager-Forwarded: eu/n1", identity}, 401},
		"a client":                {p.as(t, p.issue(t, "ada", "ops")), []string{"Rtmanager-Forwarded: eu/n1", identity}, 403},
		"an administrator":        {p.admin(t), []string{"Rtmanager-Forwarded: eu/n1", identity}, 403},
		"a token":                 {p.newToken(t, "root", "admin"), []string{identity}, 403},
		"named like a daemon":     {p.as(t, p.issue(t, "eu/n1", "ops")), []string{"Rtmanager-Forwarded: eu/n1", identity}, 403},
		"another daemon":          {daemon, []string{"Rtmanager-Forwarded: eu/n1", identity}, 403},
		"a daemon without a name": {daemon, []string{identity}, 403},
		"a daemon as a daemon":    {daemon, []string{"Rtmanager-Forwarded: eu/n9", `Rtmanager-Forwarded-Identity: {"subject":"node:eu/n1"}`}, 400},
		"a daemon alone":          {daemon, []string{"Rtmanager-Forwarded: eu/n9"}, 403},
		"a daemon by itself":      {daemon, nil, 403},
		"no such token":           {daemon, []string{"Rtmanager-Forwarded: eu/n9", `Rtmanager-Forwarded-Identity: {"subject":"token:none"}`}, 401},
	} {
		status, text := row.caller.send("POST", p.first.API+"/v1/runtimes/g/stop", "", row.headers...)
		require.Equal(t, row.status, status, "%s: %s", name, text)
	}
	status, text := daemon.send("POST", p.first.API+"/v1/runtimes/g/stop", "", "Rtmanager-Forwarded: eu/n9", identity)
	require.Equal(t, 404, status, "a daemon is trusted to name the caller: %s", text)
}

// Certificates that prove nothing are rejected in the handshake.
func TestInvalidClientCertificates(t *testing.T) {
	t.Parallel()
	p := startSecuredPair(t)
	other := certtest.NewAuthority(t, "ca")
	foreign := other.Issue(t, pkix.Name{CommonName: "root", Organization: []string{access.AdminsOrganization}})
	serverOnly := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	for name, leaf := range map[string]*certtest.Leaf{
		"expired":       p.issue(t, "root", access.AdminsOrganization, certtest.Expired),
		"not yet valid": p.issue(t, "root", access.AdminsOrganization, certtest.NotYetValid),
		"of another CA": &foreign,
		"of a server":   p.issue(t, "root", access.AdminsOrganization, serverOnly),
	} {
		status, text := p.as(t, leaf).send("GET", p.first.API+"/v1/runtimes", "")
		require.Zero(t, status, "%s: %s", name, text)
		require.Contains(t, text, "remote error: tls", name)
	}
	status, text := p.as(t, p.issue(t, " ", "ops")).send("GET", p.first.API+"/v1/runtimes", "")
	require.Equal(t, 401, status, text)
	status, text = p.admin(t).send("GET", p.first.API+"/v1/runtimes", "")
	require.Equal(t, 200, status, text)
}

// A token that is revoked at one daemon loses its streams at the other one.
func TestRevocationAtAnotherDaemon(t *testing.T) {
	t.Parallel()
	p := startSecuredPair(t)
	reader := p.newToken(t, "read", "reader")
	stream := reader.watch(p.second)
	status, text := p.admin(t).send("DELETE", p.first.API+"/v1/tokens/read", "")
	require.Equal(t, 204, status, text)
	revoked := time.Now()
	requireUnauthenticated(t, stream)
	t.Logf("the stream ended %s after the revocation", time.Since(revoked).Round(time.Millisecond))
	status, _ = reader.send("GET", p.second.API+"/v1/runtimes", "")
	require.Equal(t, 401, status)
}

// A game without a record is in no region yet. Its first start shows nothing to callers of other
// regions.
func TestFirstStartInAnotherRegion(t *testing.T) {
	t.Parallel()
	p := startSecuredPair(t, func(cfg *config.Config) { // an image that the node has, so the start is accepted and fails then
		require.NoError(t, os.WriteFile(filepath.Join(cfg.DataDir, "images", "game", "broken"), []byte("#!/no/such/program\n"), 0o755))
	})
	operator, european, american := p.newToken(t, "ops", "operator"), p.newToken(t, "eu", "operator@eu"), p.newToken(t, "us", "reader@us")
	status, text := operator.send("POST", p.first.API+"/v1/runtimes/g/start", `{"image":"game:broken","region":"us","env":{"PASSWORD":"hunter2"}}`)
	require.Equal(t, 422, status, text)
	for _, d := range []*runningDaemon{p.first, p.second} {
		status, text = european.send("GET", d.API+"/v1/runtimes/g/explain", "")
		require.Equal(t, 403, status, text)
		require.NotContains(t, text, "start_failed")
		status, text = american.send("GET", d.API+"/v1/runtimes/g/explain", "")
		require.Equal(t, 200, status, text)
		require.Contains(t, text, "start_failed")
	}
	key := "Idempotency-Key: first-start"
	status, text = operator.send("POST", p.second.API+"/v1/runtimes/replayed/start", `{"image":"game:broken"}`, key)
	require.Equal(t, 422, status, text)
	status, text = european.send("POST", p.first.API+"/v1/runtimes/replayed/start", `{"image":"game:broken"}`, key)
	require.Equal(t, 403, status, "the outcome of another region: %s", text)
	status, text = operator.send("POST", p.first.API+"/v1/runtimes/replayed/start", `{"image":"game:broken"}`, key)
	require.Equal(t, 422, status, text)
	const offer = `{"image":"game:1"}`
	status, text = european.send("POST", p.second.API+"/v1/runtimes/other/offer", offer, "Content-Type: application/json")
	require.Equal(t, 403, status, text)
	status, text = european.send("POST", p.first.API+"/v1/runtimes/other/offer", offer, "Content-Type: application/json")
	require.Equal(t, 200, status, text)
}

// A token that replaces a leaked one of the same name ends the streams of the leaked one.
func TestReplacedToken(t *testing.T) {
	t.Parallel()
	p := startSecuredPair(t)
	leaked := p.newToken(t, "lobby", "reader")
	stream := leaked.watch(p.second)
	status, text := p.admin(t).send("DELETE", p.first.API+"/v1/tokens/lobby", "")
	require.Equal(t, 204, status, text)
	successor := p.newToken(t, "lobby", "reader")
	requireUnauthenticated(t, stream)
	status, text = successor.send("GET", p.second.API+"/v1/runtimes", "")
	require.Equal(t, 200, status, text)
}

// An authority that is removed has no callers any more, on open connections and streams either.
func TestRemovedAuthority(t *testing.T) {
	t.Parallel()
	p := startSecuredPair(t)
	admin := p.admin(t)
	status, text := admin.send("GET", p.first.API+"/v1/tokens", "")
	require.Equal(t, 200, status, text)
	response, err := admin.open("GET", p.first.API+"/v1/watch", "")
	require.NoError(t, err)
	defer response.Body.Close()
	require.NoError(t, os.WriteFile(p.caFile, certtest.NewAuthority(t, "next").PEM(), 0o600))
	require.Eventually(t, func() bool {
		status, text = admin.send("GET", p.first.API+"/v1/tokens", "")
		return status == 401
	}, timeout, 50*time.Millisecond)
	require.Contains(t, text, "its authority is not accepted any more")
	stream, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(stream), `"unauthenticated"`)
}

// A caller with rights for one game writes that its container is that of another game. No operation
// on its game then affects the other one.
func TestContainersOfOtherGames(t *testing.T) {
	t.Parallel()
	p := startSecuredPair(t)
	operator, lobby := p.newToken(t, "ops", "operator"), p.newToken(t, "lobby", "reader", "operator@eu:lobby-*")
	runtimes := p.first.API + "/v1/runtimes/"
	status, text := operator.send("POST", runtimes+"target/start", `{"image":"game:1","health_path":"none"}`)
	require.Equal(t, 200, status, text)
	readTarget := func() runtime.RuntimeRecord {
		var record runtime.RuntimeRecord
		status, text := lobby.send("GET", runtimes+"target", "")
		require.Equal(t, 200, status, text)
		require.NoError(t, json.Unmarshal([]byte(text), &record))
		return record
	}
	readContainer := func() container.Container {
		status, text := operator.send("GET", runtimes+"target/explain", "")
		require.Equal(t, 200, status, text)
		var explanation drift.Explanation
		require.NoError(t, json.Unmarshal([]byte(text), &explanation))
		require.Len(t, explanation.Containers, 1)
		return explanation.Containers[0]
	}
	target, running := readTarget(), readContainer()
	for _, operation := range []string{"stop", "cleanup", "restart", "start", "patch"} {
		forged := target.Clone()
		forged.GameID = "lobby-" + operation
		if operation == "cleanup" || operation == "start" {
			forged.Status, forged.StoppedAt = runtime.StatusStopped, forged.StartedAt
		}
		body, err := json.Marshal(forged)
		require.NoError(t, err)
		status, text = lobby.send("PUT", runtimes+forged.GameID, string(body))
		require.Equal(t, 200, status, text)
		request := map[string]string{"start": `{"image":"game:1","health_path":"none"}`, "patch": `{"image":"game:1"}`}[operation]
		status, text = lobby.send("POST", runtimes+forged.GameID+"/"+operation, request)
		require.NotZero(t, status, text)
		require.Equal(t, running, readContainer(), operation)
		require.True(t, target.EqualExceptCondition(readTarget()), operation)
	}
}
