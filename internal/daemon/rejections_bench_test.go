package daemon_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/testkit/certtest"
)

// attackRate is the number of rejected requests per second that the benchmark aims at.
const attackRate = 10_000

// BenchmarkRejections measures what rejected requests cost. The rows below cpu are the CPU time
// of one pipelined request over TLS, client and daemon together: served, beyond the write
// rate of its caller, and with a guessed token. The rows below healthy are the times of
// linearizable Gets of another caller, alone and during 10 000 rejected requests per second.
// Compare the rows of one run:
//
//	go test ./internal/daemon -run '^$' -bench Rejections -benchtime 10s
func BenchmarkRejections(b *testing.B) {
	d := startLimited(b)
	rows := []struct {
		name    string
		request []byte
	}{
		{"served", d.request("GET", "/v1/runtimes/g", d.tokens["healthy"], "")},
		{"rate", d.request("PUT", "/v1/runtimes/g", d.tokens["noisy"], strings.Repeat(" ", 1000))},
		{"guess", d.request("GET", "/v1/runtimes/g", "rtm_guess", "")},
	}
	for _, row := range rows {
		b.Run("cpu/"+row.name, func(b *testing.B) { d.measureCPU(b, row.request) })
	}
	b.Run("healthy/alone", func(b *testing.B) { d.measureHealthy(b, nil) })
	for _, row := range rows[1:] {
		b.Run("healthy/"+row.name, func(b *testing.B) { d.measureHealthy(b, row.request) })
	}
}

// limitedDaemon is a daemon with TLS and limits.
type limitedDaemon struct {
	*runningDaemon
	tls    *tls.Config
	tokens map[string]string
}

func startLimited(b *testing.B) *limitedDaemon {
	b.Helper()
	ca := certtest.NewAuthority(b, "ca")
	cfg := newSettings(b)
	cfg.Engine, cfg.Region = config.EngineNone, "eu"
	cfg.LimitRate, cfg.LimitWriteRate = -1, 1
	withCertificate(b, &cfg, ca, ca.IssueNode(b, "eu/n1"))
	d := &limitedDaemon{start(b, cfg), &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", NextProtos: []string{"http/1.1"}}, map[string]string{}}
	for _, name := range []string{"healthy", "noisy"} {
		// One administrator each: the write rate is that of one request a second.
		admin := ca.Issue(b, pkix.Name{CommonName: name, Organization: []string{access.AdminsOrganization}})
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{admin.TLS}}}
		c := &measuredCaller{url: d.API, client: &http.Client{Timeout: timeout, Transport: transport}}
		var created api.NewToken
		require.NoError(b, json.Unmarshal(c.send(b, "POST", "/v1/tokens", `{"name":"`+name+`","grants":[{"role":"operator"}]}`), &created))
		d.tokens[name] = created.Text
		if name == "healthy" {
			game := record("g")
			game.Region = "eu"
			body, err := json.Marshal(game)
			require.NoError(b, err)
			c.send(b, "PUT", "/v1/runtimes/g", string(body))
		}
		transport.CloseIdleConnections()
	}
	return d
}

func (d *limitedDaemon) request(method, path, token, body string) []byte {
	var request bytes.Buffer
	r, _ := http.NewRequest(method, d.API+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("User-Agent", "bench")
	_ = r.Write(&request)
	return request.Bytes()
}

// sender sends pipelined requests on one connection.
type sender struct {
	conn     *tls.Conn
	request  []byte
	buffer   []byte
	rejected int64 // responses with the status 429
}

func (d *limitedDaemon) connect(b *testing.B, request []byte) *sender {
	b.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(d.API, "https://"), d.tls)
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return &sender{conn: conn, request: request, buffer: make([]byte, 64<<10)}
}

// send sends count requests at once and waits for their responses.
func (s *sender) send(count int) error {
	if _, err := s.conn.Write(bytes.Repeat(s.request, count)); err != nil {
		return err
	}
	statusLine := []byte("HTTP/1.1 ")
	var carried []byte
	for count > 0 {
		n, err := s.conn.Read(s.buffer)
		if err != nil {
			return err
		}
		text := slices.Concat(carried, s.buffer[:n])
		complete := len(text) - len("HTTP/1.1 429") + 1 // a status that begins after this is counted with the next read
		for start := 0; ; start++ {
			found := bytes.Index(text[start:], statusLine)
			if found < 0 || start+found >= complete {
				break
			}
			start += found
			count--
			if bytes.HasPrefix(text[start+len(statusLine):], []byte("429")) {
				s.rejected++
			}
		}
		carried = bytes.Clone(text[max(0, complete):])
	}
	return nil
}

const (
	// batchSize is the number of pipelined requests.
	batchSize = 50
	// connections is the number of connections of the attacker.
	connections = 4
)

// measureCPU reports the CPU time of one request.
func (d *limitedDaemon) measureCPU(b *testing.B, request []byte) {
	s := d.connect(b, request)
	require.NoError(b, s.send(4*batchSize)) // uses up the bucket
	cpu := cpuTime(b)
	s.rejected = 0
	count := 0
	for b.Loop() {
		require.NoError(b, s.send(batchSize))
		count += batchSize
	}
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(count), "cpu-ns/request")
	b.ReportMetric(float64(s.rejected)/float64(count), "rejected/request")
}

// measureHealthy reports the times of healthy requests, during the attack if there is one.
func (d *limitedDaemon) measureHealthy(b *testing.B, attack []byte) {
	var rejected [connections]atomic.Int64
	var attackers sync.WaitGroup
	done := make(chan struct{})
	if attack != nil {
		for i := range connections {
			attacker := d.connect(b, attack)
			attackers.Go(func() {
				ticker := time.NewTicker(time.Second * batchSize * connections / attackRate)
				defer ticker.Stop()
				for {
					select {
					case <-done:
						return
					case <-ticker.C:
						if attacker.send(batchSize) != nil {
							return
						}
						rejected[i].Store(attacker.rejected)
					}
				}
			})
		}
	}
	healthy := d.connect(b, d.request("GET", "/v1/runtimes/g", d.tokens["healthy"], ""))
	var times []time.Duration
	for b.Loop() {
		started := time.Now()
		require.NoError(b, healthy.send(1))
		times = append(times, time.Since(started))
	}
	elapsed := b.Elapsed()
	total := int64(0)
	for i := range rejected {
		total += rejected[i].Load()
	}
	close(done)
	attackers.Wait()
	slices.Sort(times)
	for name, share := range map[string]float64{"p50-us": 0.5, "p99-us": 0.99} {
		b.ReportMetric(float64(times[int(float64(len(times)-1)*share)].Microseconds()), name)
	}
	b.ReportMetric(float64(total)/elapsed.Seconds(), "rejected/s")
}
