package httpserver

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/compress"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/etag"
	"galaxy/rtmanager/internal/api"
)

// getCluster handles GET /v1/cluster.
func (s *Server) getCluster(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	info, err := s.store.Info(r.Context())
	if err != nil {
		return err
	}
	cluster := api.ClusterFrom(info)
	cluster.Version, cluster.Region, cluster.Node = s.cfg.Version, s.cfg.Region, s.cfg.Node
	return writeJSON(w, http.StatusOK, cluster)
}

// checkStore handles GET /v1/fsck.
func (s *Server) checkStore(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	report, err := s.store.Check(r.Context(), false)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.CheckFrom(report))
}

// repairStore handles POST /v1/fsck/repair.
func (s *Server) repairStore(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	report, err := s.store.Check(r.Context(), true)
	if err != nil {
		s.cfg.Logger.Info("repair failed, or its outcome is unknown", "error", err)
		return err
	}
	s.cfg.Logger.Info("repair finished", "findings", len(report.Findings), "revision", report.Revision)
	return writeJSON(w, http.StatusOK, api.CheckFrom(report))
}

// getMetrics handles GET /metrics.
func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) error {
	promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(w, r)
	return nil
}

// getOpenAPI handles GET /openapi.json. The document changes with the version of the daemon only, so
// that clients may cache it if they revalidate it.
func (s *Server) getOpenAPI(w http.ResponseWriter, r *http.Request) error {
	document := api.OpenAPI(s.cfg.Version)
	sum := sha256.Sum256(document)
	tag := hex.EncodeToString(sum[:16])
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", strconv.Quote(tag))
	if etag.MatchesText(compress.PlainETags(strings.Join(r.Header.Values("If-None-Match"), ",")), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
	_, _ = w.Write(document) // it fails only if the client has disconnected
	return nil
}
