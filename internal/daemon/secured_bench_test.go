package daemon_test

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/testkit/certtest"
)

// BenchmarkSecurity measures what TLS, authentication and authorization add to a request: a
// linearizable Get and an UpdateStatus on one kept-alive connection. cpu-ns/op is the CPU time of
// client, daemon and embedded etcd together. Compare the rows of one run:
//
//	go test ./internal/daemon -run '^$' -bench Security -benchtime 3s
func BenchmarkSecurity(b *testing.B) {
	for _, mode := range []string{"http", "https", "certificate", "token", "region", "audited"} {
		b.Run(mode, func(b *testing.B) {
			c := startMeasured(b, mode)
			b.Run("get", func(b *testing.B) {
				c.measure(b, func(int) (string, string, string) { return "GET", "/v1/runtimes/g", "" })
			})
			b.Run("update", func(b *testing.B) {
				c.measure(b, func(i int) (string, string, string) {
					if i%2 == 0 {
						return "POST", "/v1/runtimes/g/status", `{"expected_from":"running","to":"stopped"}`
					}
					return "POST", "/v1/runtimes/g/status", `{"expected_from":"stopped","to":"running"}`
				})
			})
		})
	}
}

// measuredCaller sends the requests of a benchmark.
type measuredCaller struct {
	client     *http.Client
	url, token string
	updates    int // the status of the game depends on the number of updates so far
}

// startMeasured starts a daemon and returns a caller: over http or https without authentication,
// and over https with a client certificate, without or with an audit log, with a token of a role
// without a scope, or with one of a role for one region.
func startMeasured(b *testing.B, mode string) *measuredCaller {
	b.Helper()
	ca := certtest.NewAuthority(b, "ca")
	cfg := newSettings(b)
	cfg.Engine, cfg.Region = config.EngineNone, "eu"
	cfg.LimitRate, cfg.LimitWriteRate = -1, -1
	clientTLS := &tls.Config{RootCAs: ca.Pool()}
	if mode != "http" {
		withCertificate(b, &cfg, ca, ca.IssueNode(b, "eu/n1"))
		admin := ca.Issue(b, pkix.Name{CommonName: "root", Organization: []string{access.AdminsOrganization}})
		clientTLS.Certificates = []tls.Certificate{admin.TLS}
	}
	if mode == "audited" {
		cfg.AuditFile = filepath.Join(cfg.DataDir, "audit.log")
	}
	if mode == "https" {
		cfg.Auth, clientTLS.Certificates = config.AuthOff, nil
	}
	d := start(b, cfg)
	c := &measuredCaller{url: d.API, client: &http.Client{Timeout: timeout, Transport: &http.Transport{TLSClientConfig: clientTLS}}}
	if mode == "token" || mode == "region" {
		grant := map[string]string{"token": `{"role":"operator"}`, "region": `{"role":"operator","regions":["eu"]}`}[mode]
		var created api.NewToken
		require.NoError(b, json.Unmarshal(c.send(b, "POST", "/v1/tokens", `{"name":"bench","grants":[`+grant+`]}`), &created))
		c.token = created.Text
		c.client = &http.Client{Timeout: timeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}}
	}
	b.Cleanup(c.client.CloseIdleConnections)
	game := record("g")
	game.Region = "eu"
	body, err := json.Marshal(game)
	require.NoError(b, err)
	c.send(b, "PUT", "/v1/runtimes/g", string(body))
	return c
}

// measure sends the requests one after the other.
func (c *measuredCaller) measure(b *testing.B, request func(i int) (method, path, body string)) {
	b.Helper()
	cpu := cpuTime(b)
	for b.Loop() {
		method, path, body := request(c.updates)
		c.send(b, method, path, body)
		if method != "GET" {
			c.updates++
		}
	}
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N), "cpu-ns/op")
}

func (c *measuredCaller) send(b *testing.B, method, path, body string) []byte {
	request, err := http.NewRequestWithContext(b.Context(), method, c.url+path, strings.NewReader(body))
	require.NoError(b, err)
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.client.Do(request)
	require.NoError(b, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, response.StatusCode, "%s", text)
	return text
}

// cpuTime returns the CPU time of this process.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
