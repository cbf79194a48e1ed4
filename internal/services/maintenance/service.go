// Package maintenance changes the settings that operators give nodes and regions, and keeps
// them in memory for the workers of this daemon.
//
//	service.go  Service: cordon, pause, and the settings in memory
//	drain.go    the request and the plan of a drain, which worker drain carries out
package maintenance

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/broadcast"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
)

// Dependencies are the parts that a Service uses. All are required; all but Settings serve drains.
type Dependencies struct {
	Settings ports.NodeSettingsStore
	Nodes    interface {
		Overview(ctx context.Context) (node.Overview, error)
	}
	Records Records
	Intents Intents
}

// Config tunes a Service.
type Config struct {
	// Clock returns the times of the marks. Default time.Now.
	Clock func() time.Time
	// Logger receives a line per change; nil discards them.
	Logger *slog.Logger
}

// Service changes and follows the settings. It is safe for concurrent use.
type Service struct {
	deps    Dependencies
	cfg     Config
	current atomic.Pointer[node.Maintenance] // nil before Run has read the settings
	changed broadcast.Signal
}

// New returns a service, which knows no settings before Run.
func New(deps Dependencies, cfg Config) *Service {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{deps: deps, cfg: cfg}
}

func (s *Service) mark(origin ports.Origin) *node.Mark {
	return &node.Mark{Reason: origin.Reason, By: origin.Actor, At: s.cfg.Clock().UTC().Truncate(time.Millisecond)}
}

// replaceMark sets the mark unless it is set for the same reason by the same actor already.
func replaceMark(mark **node.Mark, next *node.Mark) {
	if old := *mark; old != nil && old.Reason == next.Reason && old.By == next.By {
		return
	}
	*mark = next
}

// Cordon excludes the node from new games, and returns its settings. The games on the node
// are not affected. A node that is cordoned already gets the new reason.
//
// Its errors are those of ports.NodeSettingsStore.UpdateNode, as are those of the other
// changes.
func (s *Service) Cordon(ctx context.Context, ref node.Ref, origin ports.Origin) (node.Settings, error) {
	return s.update(ctx, "node cordoned", ref, origin, func(settings *node.Settings) error {
		replaceMark(&settings.Cordoned, s.mark(origin))
		return nil
	})
}

// Uncordon lets the node get new games, and cancels its drain.
func (s *Service) Uncordon(ctx context.Context, ref node.Ref, origin ports.Origin) (node.Settings, error) {
	return s.update(ctx, "node uncordoned", ref, origin, func(settings *node.Settings) error {
		settings.Cordoned, settings.Drain = nil, nil
		return nil
	})
}

// Pause stops the destructive work of the workers on the games of the node.
func (s *Service) Pause(ctx context.Context, ref node.Ref, origin ports.Origin) (node.Settings, error) {
	return s.update(ctx, "node paused", ref, origin, func(settings *node.Settings) error {
		replaceMark(&settings.Paused, s.mark(origin))
		return nil
	})
}

// Resume ends a pause of the node. A pause of its region remains.
func (s *Service) Resume(ctx context.Context, ref node.Ref, origin ports.Origin) (node.Settings, error) {
	return s.update(ctx, "node resumed", ref, origin, func(settings *node.Settings) error {
		settings.Paused = nil
		return nil
	})
}

// PauseRegion stops the destructive work of the workers on the games of the region.
func (s *Service) PauseRegion(ctx context.Context, region string, origin ports.Origin) (node.RegionSettings, error) {
	return s.updateRegion(ctx, "region paused", region, origin, func(settings *node.RegionSettings) error {
		replaceMark(&settings.Paused, s.mark(origin))
		return nil
	})
}

// ResumeRegion ends a pause of the region. Pauses of its nodes remain.
func (s *Service) ResumeRegion(ctx context.Context, region string, origin ports.Origin) (node.RegionSettings, error) {
	return s.updateRegion(ctx, "region resumed", region, origin, func(settings *node.RegionSettings) error {
		settings.Paused = nil
		return nil
	})
}

func (s *Service) update(ctx context.Context, event string, ref node.Ref, origin ports.Origin, change func(*node.Settings) error) (node.Settings, error) {
	if err := origin.Validate(); err != nil {
		return node.Settings{}, err
	}
	settings, err := s.deps.Settings.UpdateNode(ctx, ref, change)
	if err == nil {
		s.cfg.Logger.Info(event, "node", ref.String(), "actor", origin.Actor, "reason", origin.Reason)
	}
	return settings, err
}

func (s *Service) updateRegion(ctx context.Context, event, region string, origin ports.Origin, change func(*node.RegionSettings) error) (node.RegionSettings, error) {
	if err := origin.Validate(); err != nil {
		return node.RegionSettings{}, err
	}
	settings, err := s.deps.Settings.UpdateRegion(ctx, region, change)
	if err == nil {
		s.cfg.Logger.Info(event, "region", region, "actor", origin.Actor, "reason", origin.Reason)
	}
	return settings, err
}

// Run follows the settings until ctx ends, and returns nil then.
func (s *Service) Run(ctx context.Context) error {
	err := s.deps.Settings.FollowMaintenance(ctx, func(m node.Maintenance) {
		s.current.Store(&m)
		s.changed.Notify()
	})
	if ctx.Err() != nil {
		return nil //nolint:nilerr // the caller has ended it
	}
	return err
}

// Changed returns a channel that is closed at the next change of any settings. To miss no
// change, call it before Current.
func (s *Service) Changed() <-chan struct{} { return s.changed.Changed() }

// Current returns the settings as Run has received them last, a moment after they were
// stored, and false before it has received any. The caller must not modify the maps.
func (s *Service) Current() (node.Maintenance, bool) {
	if current := s.current.Load(); current != nil {
		return *current, true
	}
	return node.Maintenance{}, false
}

// PauseOf returns why the games of the node are paused, and an empty text if they are not. It
// makes no request. Before the settings are known, the games count as paused.
func (s *Service) PauseOf(ref node.Ref) string {
	current, isKnown := s.Current()
	if !isKnown {
		return "the settings of the nodes have not been read yet"
	}
	return current.PauseText(ref)
}
