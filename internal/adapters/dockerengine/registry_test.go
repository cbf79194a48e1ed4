package dockerengine_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// testRegistry serves one image with one layer. The engine accepts a registry on the
// loopback interface without TLS.
type testRegistry struct {
	host     string
	requests atomic.Int64
	// corrupt makes it serve a layer that does not match its digest.
	corrupt atomic.Bool
	blobs   map[string][]byte // path to content
	types   map[string]string // path to media type

	user, password string // required of every request unless user is empty; set before the first
}

func newRegistry(t *testing.T, name, tag string, binary []byte) *testRegistry {
	t.Helper()
	r := &testRegistry{blobs: map[string][]byte{}, types: map[string]string{}}
	layer, plain := gameLayer(t, binary)
	config := r.blob(t, name, "application/vnd.oci.image.config.v1+json", map[string]any{
		"architecture": "amd64", "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/game"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{plain}},
	})
	layerDescriptor := r.put(name, "application/vnd.oci.image.layer.v1.tar+gzip", layer)
	const kind = "application/vnd.oci.image.manifest.v1+json"
	manifest, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []any{layerDescriptor}})
	require.NoError(t, err)
	for _, reference := range []string{tag, digest(manifest)} {
		path := "/v2/" + name + "/manifests/" + reference
		r.blobs[path], r.types[path] = manifest, kind
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// gameLayer returns a layer that contains the program, and the digest of the uncompressed
// layer.
func gameLayer(t *testing.T, binary []byte) (compressedLayer []byte, diffID string) {
	t.Helper()
	var plain, compressed bytes.Buffer
	w := tar.NewWriter(&plain)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "game", Mode: 0o755, Size: int64(len(binary)), Typeflag: tar.TypeReg}))
	_, err := w.Write(binary)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	z := gzip.NewWriter(&compressed)
	_, err = z.Write(plain.Bytes())
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return compressed.Bytes(), digest(plain.Bytes())
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (r *testRegistry) blob(t *testing.T, name, kind string, content any) map[string]any {
	t.Helper()
	encoded, err := json.Marshal(content)
	require.NoError(t, err)
	return r.put(name, kind, encoded)
}

// put stores the content and returns its descriptor.
func (r *testRegistry) put(name, kind string, content []byte) map[string]any {
	path := "/v2/" + name + "/blobs/" + digest(content)
	r.blobs[path], r.types[path] = content, kind
	return map[string]any{"mediaType": kind, "digest": digest(content), "size": len(content)}
}

func (r *testRegistry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.requests.Add(1)
	if user, password, _ := request.BasicAuth(); r.user != "" && (user != r.user || password != r.password) {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
		return
	}
	content, ok := r.blobs[request.URL.Path]
	switch {
	case request.URL.Path == "/v2/":
		return
	case !ok:
		http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`, http.StatusNotFound)
		return
	}
	if r.corrupt.Load() && strings.Contains(request.URL.Path, "/blobs/") {
		content = bytes.Repeat([]byte("x"), len(content))
	}
	w.Header().Set("Content-Type", r.types[request.URL.Path])
	w.Header().Set("Docker-Content-Digest", digest(content))
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if request.Method != http.MethodHead {
		_, _ = w.Write(content)
	}
}
