package daemon_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
)

// listedRecords is one page of the largest size.
const listedRecords = 10_000

// BenchmarkLists measures GET /v1/runtimes of 10 000 records by a daemon with an embedded etcd:
// the same list by one client, by 1 000 clients at once, and after each change of one record, as
// it is and compressed. cpu-ns/op is the CPU time of clients, daemon and etcd together for one
// response. Compare the rows of one run:
//
//	go test ./internal/daemon -run '^$' -bench Lists -benchtime 2s
func BenchmarkLists(b *testing.B) {
	cfg := newSettings(b)
	cfg.Engine, cfg.LimitRate, cfg.LimitWriteRate = config.EngineNone, -1, -1
	d := start(b, cfg)
	client := &http.Client{Timeout: timeout, Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	b.Cleanup(client.CloseIdleConnections)
	c := &measuredCaller{url: d.API, client: client}
	c.putAll(b, listedRecords)
	for _, encoding := range []string{"identity", "gzip"} {
		list := func(b *testing.B) {
			request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, fmt.Sprint(c.url, "/v1/runtimes?limit=", listedRecords), nil)
			require.NoError(b, err)
			request.Header.Set("Accept-Encoding", encoding)
			response, err := client.Do(request)
			require.NoError(b, err)
			defer response.Body.Close()
			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(b, err)
			require.Equal(b, http.StatusOK, response.StatusCode)
		}
		b.Run(encoding+"/unchanged", func(b *testing.B) {
			measureCPU(b, func() {
				for b.Loop() {
					list(b)
				}
			})
		})
		b.Run(encoding+"/1000-clients", func(b *testing.B) {
			measureCPU(b, func() {
				var remaining atomic.Int64
				remaining.Store(int64(b.N))
				var clients sync.WaitGroup
				for range 1000 {
					clients.Go(func() {
						for remaining.Add(-1) >= 0 {
							list(b)
						}
					})
				}
				clients.Wait()
			})
		})
		b.Run(encoding+"/one-changed", func(b *testing.B) {
			measureCPU(b, func() {
				for i := 0; b.Loop(); i++ {
					c.put(b, i%listedRecords)
					list(b)
				}
			})
		})
	}
}

// measureCPU reports the CPU time of this process per operation.
func measureCPU(b *testing.B, run func()) {
	b.Helper()
	b.ReportAllocs()
	cpu := cpuTime(b)
	run()
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N), "cpu-ns/op")
}

func (c *measuredCaller) put(b *testing.B, n int) {
	body, err := json.Marshal(record(fmt.Sprintf("game-%05d", n)))
	require.NoError(b, err)
	c.send(b, http.MethodPut, fmt.Sprintf("/v1/runtimes/game-%05d", n), string(body))
}

// putAll puts the records from many clients.
func (c *measuredCaller) putAll(b *testing.B, count int) {
	b.Helper()
	var next atomic.Int64
	var clients sync.WaitGroup
	for range 64 {
		clients.Go(func() {
			for n := int(next.Add(1)) - 1; n < count; n = int(next.Add(1)) - 1 {
				c.put(b, n)
			}
		})
	}
	clients.Wait()
}
