package observe

import "strings"

// Kind of a metric, as Prometheus calls it.
type Kind string

// The kinds of metrics.
const (
	Gauge     Kind = "gauge"
	Counter   Kind = "counter"
	Histogram Kind = "histogram"
)

// Process is who exports a metric.
type Process string

// The processes that have metrics.
const (
	Coordinator Process = "coordinator"
	Worker      Process = "worker"
	Lookups     Process = "serve"
)

// Metric is one line of the table: a name behind Namespace, and what it means.
type Metric struct {
	Name   string
	Kind   Kind
	Labels []string
	Help   string
	Of     []Process
}

// Namespace is before every name.
const Namespace = "coterie"

// Full is the name as it is exported.
func (m *Metric) Full() string { return Namespace + "_" + m.Name }

// String is a line of deploy/metrics.txt: name, kind, labels with commas between them, and the processes that export it.
func (m *Metric) String() string {
	of := make([]string, len(m.Of))
	for i, p := range m.Of {
		of[i] = string(p)
	}
	labels := strings.Join(m.Labels, ",")
	if labels == "" {
		labels = "-"
	}
	return strings.Join([]string{m.Full(), string(m.Kind), labels, strings.Join(of, ",")}, " ")
}

// Bounds of labels whose values are not known beforehand: more would make each scrape, and the memory of whoever keeps
// it, grow with what people do.
const (
	// MaxJobs is how many jobs have series: those under way come first, then the newest.
	MaxJobs = 64
	// MaxMembers is how many workers have series on the coordinator.
	MaxMembers = 1024
)

var (
	head  = []Process{Coordinator}
	hands = []Process{Worker}
	both  = []Process{Coordinator, Worker}
	front = []Process{Lookups}
	all   = []Process{Coordinator, Worker, Lookups}
)

// Seconds are the buckets of rounds and tasks: from one over a few thousand rows to one that reads a day's disk.
var Seconds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}

// Quick are the buckets of lookups, in seconds: from a single answer to a batch that waits for its turn.
var Quick = []float64{50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1, 5}

// Metrics is the table of all metrics; deploy/metrics.txt is made of it, and what processes export is held against it.
var Metrics = []Metric{
	{"epoch", Gauge, nil, "The coordinator's epoch: it grows with each start.", head},
	{"workers", Gauge, []string{"state"}, "Workers that are known, by state: ready, suspect, rpc-unreachable or draining.", head},
	{"workers_lost_total", Counter, nil, "Workers that were given up while they were expected to answer.", head},
	{"workers_refused_total", Counter, []string{"reason"}, "Workers that were not let in, by reason: version or hello.", head},
	{"jobs", Gauge, []string{"state"}, "Jobs that are known, by state: queued, waiting, running, done, failed or cancelled.", head},
	{"jobs_finished_total", Counter, []string{"state"}, "Jobs that have ended, by how: done, failed or cancelled.", head},
	{"job_iteration", Gauge, []string{"job"}, "Iterations of the job's run that was last heard of.", head},
	{"job_inertia", Gauge, []string{"job"}, "Inertia of the job's last iteration.", head},
	{"job_moved_rows", Gauge, []string{"job"}, "Rows that changed their segment in the job's last iteration; no series where that is not known.", head},
	{"job_rows", Gauge, []string{"job"}, "Rows of the job.", head},
	{"job_rows_per_second", Gauge, []string{"job"}, "Rows that the job's workers went through per second in its last round; 0 once it has ended.", head},
	{"job_open_partitions", Gauge, []string{"job"}, "Partitions that the job's round under way still waits for.", head},
	{"partitions_reassigned_total", Counter, nil, "Partitions that changed hands because a worker was lost.", head},
	{"partitions_speculated_total", Counter, nil, "Partitions of slow workers that were given to others too.", head},
	{"answers_total", Counter, []string{"outcome"}, "Answers of workers, by outcome: booked, refused, stale or malformed.", head},
	{"answer_bytes", Gauge, nil, "Bytes of answers that are read or wait for their merging.", head},
	{"received_bytes_total", Counter, nil, "Bytes of jobs and answers that have come.", head},
	{"sent_bytes_total", Counter, nil, "Bytes of tasks, jobs and results that were sent.", head},
	{"checkpoints_total", Counter, []string{"outcome"}, "Checkpoints, by outcome: written or failed.", head},
	{"round_seconds", Histogram, []string{"kind"}, "Seconds from the first task of a round to the first of the next, by kind of round.", head},
	{"member_ready", Gauge, []string{"worker"}, "1 for a worker that can be asked, 0 for one that is silent or is leaving.", head},
	{"member_partitions", Gauge, []string{"worker"}, "Partitions that a worker says it holds.", head},
	{"member_partition_bytes", Gauge, []string{"worker"}, "Bytes that the partitions of a worker take, as it says.", head},
	{"member_memory_limit_bytes", Gauge, []string{"worker"}, "Bytes that the partitions of a worker may take; 0 for no limit.", head},
	{"member_rows_per_second", Gauge, []string{"worker"}, "Rows per second of a worker's last answers, added over the jobs under way.", head},
	{"member_silent_seconds", Gauge, []string{"worker"}, "Seconds since a worker was last heard of.", head},

	{"worker_joined", Gauge, nil, "1 while the worker is joined to a coordinator.", hands},
	{"worker_partitions", Gauge, nil, "Partitions that the worker holds.", hands},
	{"worker_partition_bytes", Gauge, nil, "Bytes that partitions take.", hands},
	{"worker_memory_limit_bytes", Gauge, nil, "Bytes that partitions may take; 0 for no limit.", hands},
	{"worker_spilled_bytes", Gauge, nil, "Bytes of partitions that lie on disk.", hands},
	{"worker_spill_read_bytes_total", Counter, nil, "Bytes of partitions that were read back from disk.", hands},
	{"worker_rows_read_total", Counter, nil, "Rows that were read from data.", hands},
	{"worker_rows_assigned_total", Counter, nil, "Rows that centroids were looked for, in every pass and for every run.", hands},
	{"worker_task_seconds", Histogram, []string{"kind"}, "Seconds from a task's turn to its result, by kind of round.", hands},

	{"gossip_members", Gauge, nil, "Processes that gossip sees, this one among them.", both},
	{"gossip_refused_total", Counter, nil, "Gossip that was not taken: of another cluster, with another key, or not to be read.", both},
	{"peers_refused_total", Counter, nil, "Connections and calls refused for the certificate that was shown, or for its lack.", all},
	{"connections", Gauge, []string{"api"}, "Connections that are open, by port: grpc or http.", both},
	{"connections_refused_total", Counter, []string{"api"}, "Connections that were closed because there was no room for them.", both},
	{"calls_failed_total", Counter, []string{"code"}, "Calls that failed, by gRPC code: ResourceExhausted is too large or too often, PermissionDenied not for this role.", both},
	{"object_requests_total", Counter, []string{"method", "outcome"}, "Requests to object storage, each try counted, by method and outcome.", both},
	{"object_retries_total", Counter, nil, "Requests to object storage that were tried again.", both},
	{"object_read_bytes_total", Counter, nil, "Bytes read from object storage.", both},
	{"object_written_bytes_total", Counter, nil, "Bytes written to object storage.", both},

	{"serve_requests_total", Counter, []string{"api", "call", "code"}, "Requests that were answered, by HTTP status or gRPC code.", front},
	{"serve_rows_total", Counter, []string{"api"}, "Customers that were looked up.", front},
	{"serve_seconds", Histogram, []string{"api", "call"}, "Seconds from the request's header to its answer.", front},
	{"serve_in_flight", Gauge, []string{"api"}, "Requests that are being answered.", front},
	{"serve_model_info", Gauge, []string{"digest"}, "1 for the model in use, by its digest.", front},
	{"serve_model_loads_total", Counter, nil, "Models that came into use, the first included.", front},
	{"serve_model_refused_total", Counter, nil, "Attempts at a model file that could not be used.", front},
	{"serve_model_unusable", Gauge, nil, "1 while the model file cannot be used and an older model answers.", front},
	{"serve_model_loaded_timestamp_seconds", Gauge, nil, "When the model in use was loaded, in seconds since 1970.", front},
	{"serve_connections", Gauge, []string{"api"}, "Connections that are open.", front},
	{"serve_connections_refused_total", Counter, []string{"api"}, "Connections that were closed because too many were open.", front},

	{"traces_lost_total", Counter, nil, "Attempts to hand traces on that failed.", both},
}

// find is the metric of that name, nil if the table has none.
func find(name string) *Metric {
	for i := range Metrics {
		if Metrics[i].Name == name {
			return &Metrics[i]
		}
	}
	return nil
}
