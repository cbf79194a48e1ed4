package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"galaxy/rtmanager/internal/adapters/auditlog"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/ports"
)

// auditing is the audit log of a daemon, nil members for none.
type auditing struct {
	log  *auditlog.Log
	file *auditlog.File
}

// openAudit opens the audit log of the settings, and registers its metrics. The error names
// the flag.
func openAudit(cfg config.Config, registry prometheus.Registerer, logger *slog.Logger) (auditing, error) {
	if !cfg.HasAudit() {
		return auditing{}, nil
	}
	logger = logger.With("component", "audit")
	var opened auditing
	var webhook *auditlog.Webhook
	var err error
	if cfg.AuditWebhook != "" {
		if webhook, err = auditlog.NewWebhook(auditlog.WebhookConfig{URL: cfg.AuditWebhook, Logger: logger}); err != nil {
			return auditing{}, fmt.Errorf("--audit-webhook: %w", err)
		}
	}
	if cfg.AuditFile != "" {
		opened.file, err = auditlog.OpenFile(auditlog.FileConfig{
			Path: cfg.AuditFile, MaxBytes: cfg.AuditMaxBytes, MaxFiles: int(cfg.AuditMaxFiles), Logger: logger,
		})
		if err != nil {
			return auditing{}, fmt.Errorf("--audit-file: %w", err)
		}
	}
	opened.log = auditlog.New(opened.file, webhook)
	registry.MustRegister(newAuditMetrics(opened.log.Stats))
	return opened, nil
}

// port returns the log as a port, nil for none.
func (a auditing) port() ports.AuditLog {
	if a.log == nil {
		return nil
	}
	return a.log
}

// start runs the log until stop is called. It does not end with ctx, because the API records
// the requests in progress after that.
func (a auditing) start(ctx context.Context) (stop func() error) {
	if a.log == nil {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- a.log.Run(ctx) }()
	return func() error {
		cancel()
		err := <-done
		if a.file != nil {
			err = errors.Join(err, a.file.Close())
		}
		return err
	}
}
