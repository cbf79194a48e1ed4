package main

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
)

func TestRunMeasuresRowsAndRemovesItsKeys(t *testing.T) {
	endpoint, client := startEtcd(t)
	_, err := client.Put(t.Context(), "/k8speer-other", "kept")
	require.NoError(t, err)

	p := startPeer(t, "--endpoints", endpoint, "--writers", "8", "--readers", "4", "--objects", "200")
	for _, row := range rows {
		before := revision(t, client)
		measured := p.measure(t, row)

		assert.Equal(t, row, measured.Row)
		assert.GreaterOrEqual(t, measured.Operations, measured.Workers)
		assert.Positive(t, measured.ElapsedNS)
		assert.Positive(t, measured.P50US)
		assert.GreaterOrEqual(t, measured.P99US, measured.P50US)
		assert.Positive(t, measured.CPUNS)
		assert.Positive(t, measured.Allocations)
		switch row {
		case updateLatency, updateRate:
			assert.Equal(t, before+int64(measured.Operations), revision(t, client), "each update is one revision")
		}
	}
	stored, err := client.Get(t.Context(), "/k8speer/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Len(t, stored.Kvs, 208)
	for _, kv := range stored.Kvs {
		assert.InDelta(t, 700, len(kv.Value), 10, string(kv.Key))
	}

	p.stop(t)
	remaining, err := client.Get(t.Context(), "/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	require.NoError(t, err)
	require.Len(t, remaining.Kvs, 1, "the keys of the run are removed")
	require.Equal(t, "/k8speer-other", string(remaining.Kvs[0].Key))
}

func TestRunRejectsOtherLines(t *testing.T) {
	endpoint, _ := startEtcd(t)
	p := startPeer(t, "--endpoints", endpoint, "--writers", "1")
	for _, line := range []string{"", "measure", "measure unknown 1", "measure list 0", "measure list x", "stop list 1"} {
		var got failure
		p.request(t, line, &got)
		assert.NotEmpty(t, got.Error, line)
	}
	assert.Equal(t, 1, p.measure(t, updateLatency).Workers, "it continues")
	p.stop(t)
}

func TestRunRejectsInvalidFlags(t *testing.T) {
	for _, args := range [][]string{{"argument"}, {"--writers", "0"}, {"--value-bytes", "10"}} {
		assert.Error(t, run(t.Context(), args, strings.NewReader(""), io.Discard), args)
	}
}

// peerProcess is a peer that runs in this process.
type peerProcess struct {
	in        *io.PipeWriter
	responses *json.Decoder
	done      chan error
}

func startPeer(t *testing.T, args ...string) *peerProcess {
	t.Helper()
	inReader, inWriter := io.Pipe()
	outReader, outWriter := io.Pipe()
	p := &peerProcess{in: inWriter, done: make(chan error, 1)}
	go func() {
		err := run(t.Context(), args, inReader, outWriter)
		outWriter.CloseWithError(err)
		p.done <- err
	}()
	ready := make([]byte, len("ready\n"))
	_, err := io.ReadFull(outReader, ready)
	require.NoError(t, err)
	require.Equal(t, "ready\n", string(ready))
	p.responses = json.NewDecoder(outReader)
	return p
}

func (p *peerProcess) request(t *testing.T, line string, response any) {
	t.Helper()
	_, err := io.WriteString(p.in, line+"\n")
	require.NoError(t, err)
	require.NoError(t, p.responses.Decode(response))
}

func (p *peerProcess) measure(t *testing.T, row string) result {
	t.Helper()
	var got struct {
		result
		failure
	}
	p.request(t, "measure "+row+" 0.05", &got)
	require.Empty(t, got.Error)
	return got.result
}

func (p *peerProcess) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.in.Close())
	require.NoError(t, <-p.done)
}

// startEtcd starts one member, and returns its URL and a client.
func startEtcd(t *testing.T) (string, *clientv3.Client) {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir, cfg.LogLevel, cfg.UnsafeNoFsync = t.TempDir(), "fatal", true
	local := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	cfg.ListenClientUrls, cfg.ListenPeerUrls = local, local
	etcd, err := embed.StartEtcd(cfg)
	require.NoError(t, err)
	t.Cleanup(etcd.Close)
	<-etcd.Server.ReadyNotify()
	endpoint := "http://" + etcd.Clients[0].Addr().String()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return endpoint, client
}

func revision(t *testing.T, client *clientv3.Client) int64 {
	t.Helper()
	resp, err := client.Get(context.Background(), "/revision")
	require.NoError(t, err)
	return resp.Header.Revision
}
