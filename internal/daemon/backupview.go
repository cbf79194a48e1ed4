package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/adapters/httpserver/peer"
	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/services/cluster"
	"galaxy/rtmanager/internal/services/explain"
	"galaxy/rtmanager/internal/storecheck"
)

// BackupView serves the API of a store in a backup inside this process, for reads. It runs no
// games and calls no other node.
type BackupView struct {
	// Manifest is that of the backup.
	Manifest backup.Manifest

	opened *backup.Copy
	store  *etcdstore.Store
	server *httpserver.Server
}

// OpenBackup opens a backup as backup.Open does. prefix selects one of its stores; nil selects
// the only one. The caller closes the view, which removes the copy of the backup.
func OpenBackup(ctx context.Context, file string, prefix *string, version string) (_ *BackupView, err error) {
	opened, err := backup.Open(ctx, file)
	if err != nil {
		return nil, err
	}
	v := &BackupView{Manifest: opened.Manifest, opened: opened}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.Close())
		}
	}()
	prefixes, err := opened.Stores(ctx)
	if err != nil {
		return nil, fmt.Errorf("backup %s: %w", file, err)
	}
	selected, err := selectStore(file, prefixes, prefix)
	if err != nil {
		return nil, err
	}
	v.store, err = etcdstore.Open(ctx, opened.Client(), etcdstore.Options{Prefix: selected, Families: storecheck.Families(selected)})
	if err != nil {
		return nil, fmt.Errorf("backup %s: %w", file, err)
	}
	stored := explain.New(explain.Dependencies{Records: v.store, Intents: v.store})
	v.server, err = httpserver.New(v.store, httpserver.Config{
		Version: version,
		Cluster: cluster.New(cluster.Dependencies{Records: v.store, Intents: v.store, Stored: stored}, cluster.Config{ErrorText: httpserver.PublicText}),
		Intents: v.store,
		Peers:   peer.New(peer.Config{Logger: slog.New(slog.DiscardHandler)}),
	})
	return v, err
}

// selectStore returns the prefix of the store to open.
func selectStore(file string, prefixes []string, prefix *string) (string, error) {
	names := make([]string, len(prefixes))
	for i, p := range prefixes {
		names[i] = fmt.Sprintf("%q", p)
	}
	switch {
	case prefix == nil && len(prefixes) == 1:
		return prefixes[0], nil
	case prefix == nil:
		return "", fmt.Errorf("backup %s has %d stores, with the prefixes %s; select one with --etcd-prefix", file, len(prefixes), strings.Join(names, ", "))
	}
	trimmed := strings.TrimRight(*prefix, "/")
	if !slices.Contains(prefixes, trimmed) {
		return "", fmt.Errorf("backup %s has no store with the prefix %q, but with %s; correct --etcd-prefix", file, *prefix, strings.Join(names, ", "))
	}
	return trimmed, nil
}

// Close closes the store and removes the copy of the backup.
func (v *BackupView) Close() error {
	if v.store == nil {
		return v.opened.Close()
	}
	return errors.Join(v.store.Close(), v.opened.Close())
}

// RoundTrip implements http.RoundTripper: the server responds without a network. It buffers the
// response, and rejects requests that would change the copy.
func (v *BackupView) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		return nil, fmt.Errorf("%s %s: a backup is read-only", r.Method, r.URL.Path)
	}
	request := r.Clone(r.Context())
	request.RemoteAddr, request.RequestURI, request.Host = "127.0.0.1:0", r.URL.RequestURI(), r.URL.Host
	if request.Body == nil {
		request.Body = http.NoBody
	}
	w := &responseBuffer{header: http.Header{}, status: http.StatusOK}
	v.server.Handler().ServeHTTP(w, request)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: maps.Clone(w.header), Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// responseBuffer is an http.ResponseWriter in memory.
type responseBuffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *responseBuffer) Header() http.Header { return w.header }

func (w *responseBuffer) WriteHeader(status int) { w.status = status }

func (w *responseBuffer) Write(p []byte) (int, error) { return w.body.Write(p) }
