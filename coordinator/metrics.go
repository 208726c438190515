package coordinator

// Metric is a value of the server that is read when it is asked for.
type Metric struct {
	Help  string
	Value func() float64
}

// Metrics are what monitoring asks a coordinator for.
func (s *Server) Metrics() map[string]Metric {
	locked := func(read func() int64) func() float64 {
		return func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return float64(read())
		}
	}
	sum := func(of func(*jobRun) uint32) func() float64 {
		return locked(func() (n int64) {
			for _, r := range s.jobs {
				n += int64(of(r))
			}
			return n
		})
	}
	return map[string]Metric{
		"epoch":                   {"The coordinator's epoch: it grows with each start.", func() float64 { return float64(s.config.Epoch) }},
		"workers_ready":           {"Workers that can be asked.", locked(func() int64 { return int64(len(s.present())) })},
		"jobs_running":            {"Jobs under way.", locked(func() int64 { return int64(len(s.running())) })},
		"jobs_known":              {"Jobs that are queued, under way, or kept after their end.", locked(func() int64 { return int64(len(s.jobs)) })},
		"answer_bytes":            {"Bytes of answers that are read or wait for their merging.", func() float64 { return float64(s.room.held()) }},
		"answers_refused":         {"Answers that were not booked, over the jobs that are known.", sum(func(r *jobRun) uint32 { return r.info.Refused })},
		"partitions_reassigned":   {"Partitions that changed hands, over the jobs that are known.", sum(func(r *jobRun) uint32 { return r.info.Reassigned })},
		"partitions_speculated":   {"Partitions of slow workers that were given to others too, over the jobs that are known.", sum(func(r *jobRun) uint32 { return r.info.Speculated })},
		"answers_stale":           {"Answers to rounds that were over.", locked(func() int64 { return s.refused["stale"] })},
		"answers_malformed":       {"Answers that could not be decoded.", locked(func() int64 { return s.refused["malformed"] })},
		"workers_refused_version": {"Workers refused for their version.", locked(func() int64 { return s.refused["version"] })},
	}
}
