package daemon

import (
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/federation"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/config"
	stores "galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/tlsfiles"
)

// openFederation starts the client of the other stores, nil if there are none. The caller must call
// stop.
func openFederation(
	ctx context.Context, cfg config.Config, files tlsfiles.Client, store *etcdstore.Store, registry *prometheus.Registry, logger *slog.Logger,
) (client httpserver.Federation, stop func(), err error) {
	settings, err := cfg.FederatedStores()
	if err != nil || len(settings) == 0 {
		return nil, func() {}, err
	}
	federated := federation.New(federation.Config{
		Self: node.Ref{Region: cfg.Region, Name: cfg.Node}, StoreID: store.ID, Stores: settings, TLS: files,
		RequireNodeIdentity: cfg.HasTLS() && cfg.AuthEnabled(), Logger: logger.With("component", "federation"),
	})
	if err := registry.Register(&storesCollector{client: federated}); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = federated.Run(ctx) })
	return federated, func() {
		cancel()
		running.Wait()
	}, nil
}

// storesCollector collects the states of the other stores.
type storesCollector struct{ client *federation.Client }

// storeReady returns the description of the metric.
func storeReady() *prometheus.Desc {
	return prometheus.NewDesc("rtmanager_federated_store_ready", "1 if the other store can be used, 0 otherwise.", []string{"store"}, nil)
}

// Describe implements prometheus.Collector.
func (c *storesCollector) Describe(descs chan<- *prometheus.Desc) { descs <- storeReady() }

// Collect implements prometheus.Collector.
func (c *storesCollector) Collect(metrics chan<- prometheus.Metric) {
	for _, store := range c.client.States() {
		value := 0.0
		if store.State == stores.StateReady {
			value = 1
		}
		metrics <- prometheus.MustNewConstMetric(storeReady(), prometheus.GaugeValue, value, store.Name)
	}
}
