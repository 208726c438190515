// Keeps the page up to date. Everything that others have named reaches the document as text: nothing here makes markup
// of strings.
'use strict';
(() => {
  const byId = id => document.getElementById(id);
  const make = (tag, name, text) => {
    const e = document.createElement(tag);
    if (name) e.className = name;
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const draw = (tag, attributes, text) => {
    const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const say = (e, text) => { if (e.textContent !== text) e.textContent = text; };
  const tone = (e, t) => { if (e.dataset.tone !== t) e.dataset.tone = t; };

  // Words and numbers, as the commands print them.
  const whole = new Intl.NumberFormat('en-US');
  const many = (n, one, more) => whole.format(n) + ' ' + (n === 1 ? one : more || one + 's');
  const scaled = (x, units, step) => {
    let i = 0;
    while (x >= step && i < units.length - 1) { x /= step; i++; }
    return (x >= 100 || i === 0 ? Math.round(x) : Number(x.toPrecision(3))) + units[i];
  };
  const bytes = n => scaled(n, [' B', ' KiB', ' MiB', ' GiB', ' TiB'], 1024);
  const rate = x => scaled(x, ['', ' k', ' M', ' G'], 1000);
  const digits = (x, n) => {
    if (x >= 1e15 || x > 0 && x < 1e-3) return x.toExponential(n - 3);
    const [unit, name] = [[1e12, ' T'], [1e9, ' G'], [1e6, ' M']].find(u => x >= u[0] * 10 ** (n - 4)) || [1, ''];
    return new Intl.NumberFormat('en-US', { maximumSignificantDigits: n }).format(x / unit) + name;
  };
  const figure = x => digits(x, 6);
  const brief = x => digits(x, 4);
  const lasting = s => {
    if (s < 90) return Math.max(0, Math.round(s)) + ' s';
    if (s < 90 * 60) return Math.round(s / 60) + ' min';
    if (s < 36 * 3600) return (s / 3600).toFixed(1) + ' h';
    return Math.round(s / 86400) + ' days';
  };
  const percent = x => (x > 0 && x < 0.001 ? '< 0.1' : x < 0.0995 ? (100 * x).toFixed(1) : Math.round(100 * x)) + ' %';

  let behind = 0; // by how much this machine's clock is behind the coordinator's, in ms
  const now = () => Date.now() + behind;
  const since = at => (now() - Date.parse(at)) / 1000;
  const ago = at => { const s = since(at); return s < 2 ? 'just now' : lasting(s) + ' ago'; };

  // table keeps the rows of a list in step with it: rows stay what they are, so that focus and selection do too.
  const keep = (parent, list, key, begin, fill) => {
    const old = new Map([...parent.children].map(e => [e.dataset.key, e]));
    let at = parent.firstElementChild;
    for (const item of list) {
      let e = old.get(key(item));
      if (!e) { e = begin(item); e.dataset.key = key(item); }
      old.delete(key(item));
      if (e === at) at = at.nextElementSibling; else parent.insertBefore(e, at);
      fill(e, item);
    }
    for (const e of old.values()) e.remove();
  };
  const row = labels => {
    const tr = make('tr');
    tr.setAttribute('role', 'row'); // a telephone shows rows as blocks, which would cost them their meaning
    labels.forEach((label, i) => {
      const cell = make(i ? 'td' : 'th', i && label[0] === '>' ? 'n' : '');
      cell.setAttribute('role', i ? 'cell' : 'rowheader');
      if (i) cell.dataset.label = label.replace('>', ''); else cell.scope = 'row';
      tr.append(cell);
    });
    return tr;
  };

  // Workers.
  const alive = w => w.state === 'ready' || w.state === 'draining';
  const trouble = w => !alive(w) ? 0 : w.straggling ? 1 : w.state === 'draining' ? 2 : 3;
  const workerState = w => {
    if (w.state === 'draining') return ['leaving', 'busy'];
    if (w.state === 'rpc-unreachable') return ['unreachable', 'bad'];
    if (w.state !== 'ready') return ['lost', 'bad'];
    return w.straggling ? ['slow', 'warn'] : ['ready', 'good'];
  };
  const workerNote = (w, version) => {
    if (w.state === 'rpc-unreachable') return 'gossip sees it, but it has not called for ' + lasting(w.silent_seconds || 0) + ': look at its log, and at firewalls';
    if (!alive(w)) return 'not heard of for ' + lasting(w.silent_seconds || 0) + '; its partitions go to others';
    if (w.straggling) return many(w.straggling.partitions, 'partition') + ' open for ' + lasting(w.straggling.seconds) + '; the others took ' + w.straggling.typical_seconds + ' s';
    return w.version !== version ? 'of version ' + w.version + ', the coordinator of ' + version : '';
  };
  const someWorkers = 24;
  let allWorkers = false;
  const beginWorker = () => {
    const tr = row(['worker', 'state', '>partitions', 'memory', '>rows/s', 'kernel']), c = tr.children;
    c[0].append(make('span', 'name'), make('span', 'small address'), make('span', 'note'));
    c[1].append(make('span', 'state'));
    const track = make('span', 'track');
    track.append(make('i'));
    track.setAttribute('aria-hidden', 'true');
    c[2].append(make('span'), make('span', 'small'));
    c[3].append(make('span'), track);
    return tr;
  };
  const fillWorker = (tr, w) => {
    const c = tr.children, [state, t] = workerState(w), share = w.memory ? w.memory_used / w.memory : 0;
    say(c[0].children[0], w.name);
    say(c[0].children[1], w.address);
    say(c[0].children[2], workerNote(w, shown.version));
    say(c[1].firstChild, state);
    tone(c[1].firstChild, t);
    tr.classList.toggle('off', !alive(w));
    say(c[2].children[0], whole.format(w.partitions));
    say(c[2].children[1], w.rows ? rate(w.rows) + ' rows' : '');
    say(c[3].children[0], bytes(w.memory_used) + (w.memory ? ' of ' + bytes(w.memory) : ''));
    const track = c[3].children[1];
    track.hidden = !w.memory;
    tone(track, share > 0.9 ? 'warn' : '');
    track.firstChild.style.width = (100 * Math.min(1, share)).toFixed(1) + '%';
    say(c[4], w.rows_per_second && alive(w) ? rate(w.rows_per_second) : '–');
    say(c[5], (w.threads !== w.cores ? w.threads + ' of ' + w.cores : w.cores) + ' × ' + w.kernel);
  };
  const showWorkers = list => {
    const sorted = list.map((w, i) => [w, i]).sort(([a, i], [b, j]) => trouble(a) - trouble(b) || i - j).map(p => p[0]);
    keep(byId('workers'), allWorkers ? sorted : sorted.slice(0, someWorkers), w => w.name, beginWorker, fillWorker);
    byId('workers-table').hidden = !list.length;
    byId('no-workers').hidden = !!list.length;
    const button = byId('all-workers');
    button.hidden = list.length <= someWorkers;
    button.parentElement.hidden = button.hidden && !shown.hidden_workers;
    say(button, allWorkers ? 'show fewer' : 'show all ' + whole.format(list.length));
    say(byId('more-workers'), shown.hidden_workers ? 'and ' + whole.format(shown.hidden_workers) + ' more, which are not listed' : '');
  };

  // Jobs.
  const isOver = j => j.state === 'done' || j.state === 'failed' || j.state === 'cancelled';
  const jobTone = { running: 'busy', waiting: 'warn', queued: '', done: 'good', failed: 'bad', cancelled: 'warn' };
  const jobWhat = j => {
    const parts = [j.id, many(j.rows, 'row') + ' in ' + many(j.partitions, 'partition')];
    parts.push((isOver(j) && j.ended ? 'ended ' + ago(j.ended) : 'submitted ' + ago(j.submitted)));
    return parts.join(' · ');
  };
  const phases = { read: 'reading', seed: 'seeding', iterate: 'iterating', score: 'scoring', write: 'writing' };
  const jobFigures = j => {
    const list = [['Phase', isOver(j) ? j.state : phases[j.phase] || j.phase || 'not begun']];
    if (j.kind !== 'assign') {
      list.push(['Iteration', j.iteration ? whole.format(j.iteration) + (j.max_iterations ? ' of ≤ ' + whole.format(j.max_iterations) : '') : '–']);
      list.push(['Inertia', j.inertia === undefined ? '–' : figure(j.inertia)]);
      list.push(['Moved', j.moved === undefined ? '–' : whole.format(j.moved) + (j.rows ? ' (' + percent(j.moved / j.rows) + ')' : '')]);
    }
    if (!isOver(j)) {
      list.push(['Speed', j.rows_per_second ? rate(j.rows_per_second) + ' rows/s' : '–']);
      list.push(['Waits for', j.open_partitions ? many(j.open_partitions, 'partition') : '–']);
    }
    if (j.best_inertia !== undefined) list.push(['Best run', figure(j.best_inertia)]);
    if (j.runs > 1) list.push(['Runs over', (j.runs_over || 0) + ' of ' + whole.format(j.runs)]);
    if (j.checkpoint && !isOver(j)) list.push(['Checkpoint', ago(j.checkpoint)]);
    return list;
  };
  const timeLeft = j => {
    if (j.state === 'waiting') return 'waits for workers: ' + j.reason;
    if (isOver(j)) return 'took ' + lasting((Date.parse(j.ended) - Date.parse(j.submitted)) / 1000);
    const most = j.seconds_at_most === undefined ? '' : 'at most ' + lasting(j.seconds_at_most);
    if (j.seconds_left !== undefined) return 'about ' + lasting(j.seconds_left) + ' left' + (most ? ', ' + most : '');
    return most ? most + ' left' : phases[j.phase] || '';
  };
  const jobNote = j => {
    const parts = [];
    if (j.reassigned) parts.push(many(j.reassigned, 'partition') + ' of lost workers went to others');
    if (j.speculated) parts.push(many(j.speculated, 'partition') + ' of slow workers also went to others');
    if (j.refused) parts.push(many(j.refused, 'answer') + ' not counted: late, a second one, or of a worker that failed');
    if (j.state === 'queued') parts.push(j.reason || 'waits for its turn');
    if (j.state === 'waiting' && !j.phase) parts.push('waits for workers: ' + j.reason);
    if (j.state === 'failed') parts.push('coterie jobs show ' + j.id + ' says why');
    return parts.join('; ');
  };
  const beginJob = j => {
    const card = make('article', 'job'), title = make('div', 'title'), body = make('div', j.kind === 'assign' ? 'body flat' : 'body'), bar = make('div', 'progress'), track = make('span', 'track');
    title.append(make('h3'), make('span', 'state'));
    body.append(j.kind === 'assign' ? make('span') : draw('svg', { class: 'chart', role: 'img' }), make('dl'));
    track.setAttribute('role', 'progressbar');
    track.setAttribute('aria-label', 'progress');
    track.append(make('i'));
    bar.append(track, make('span', 'left'));
    card.append(title, make('p', 'what'), body, bar, make('p', 'note'));
    return card;
  };
  const fillJob = (card, j) => {
    const [title, what, body, bar, note] = card.children;
    say(title.children[0], j.name);
    say(title.children[1], j.state);
    tone(title.children[1], jobTone[j.state] || '');
    say(what, jobWhat(j));
    keep(body.children[1], jobFigures(j), f => f[0], f => {
      const d = make('div');
      d.append(make('dt', '', f[0]), make('dd'));
      return d;
    }, (d, f) => say(d.lastChild, f[1]));
    const share = isOver(j) ? (j.state === 'done' ? 1 : 0) : j.progress || 0, track = bar.firstChild;
    track.firstChild.style.width = (100 * share).toFixed(1) + '%';
    if (j.progress === undefined && !isOver(j)) track.removeAttribute('aria-valuenow'); else track.setAttribute('aria-valuenow', Math.round(100 * share));
    say(bar.lastChild, timeLeft(j));
    say(note, jobNote(j));
    note.hidden = !note.textContent;
    body.hidden = bar.hidden = j.state === 'queued' || j.state === 'waiting' && !j.phase;
    if (j.kind !== 'assign' && !body.hidden) chart(body.firstChild, j);
  };
  const beginEnded = () => {
    const tr = row(['job', 'state', '>iterations', '>inertia', '>took', '>ended']);
    tr.children[0].append(make('span'), make('span', 'small'));
    tr.children[1].append(make('span', 'state'));
    return tr;
  };
  const fillEnded = (tr, j) => {
    const c = tr.children;
    say(c[0].children[0], j.name);
    say(c[0].children[1], j.id);
    say(c[1].firstChild, j.state);
    tone(c[1].firstChild, jobTone[j.state]);
    say(c[2], j.iteration ? whole.format(j.iteration) : '–');
    say(c[3], j.inertia === undefined ? '–' : figure(j.inertia));
    say(c[4], j.ended ? lasting((Date.parse(j.ended) - Date.parse(j.submitted)) / 1000) : '–');
    say(c[5], j.ended ? ago(j.ended) : '–');
  };
  const showJobs = list => {
    const cards = list.filter(j => !isOver(j));
    if (!cards.length && list.length) cards.push(list[0]); // nothing is under way: the one that ended last
    const past = list.filter(j => !cards.includes(j));
    keep(byId('jobs'), cards, j => j.id, beginJob, fillJob);
    keep(byId('ended'), past, j => j.id, beginEnded, fillEnded);
    byId('no-jobs').hidden = !!list.length;
    byId('past').hidden = !past.length;
    byId('more-jobs').hidden = !shown.hidden_jobs;
    say(byId('more-jobs'), shown.hidden_jobs ? 'and ' + whole.format(shown.hidden_jobs) + ' more: coterie jobs list' : '');
  };

  // chart draws the curve of the run that got on last, the other runs' behind it, and below it the rows that moved, on a
  // scale of powers: they fall a thousandfold.
  const chart = (svg, j) => {
    const curves = j.curves || [], main = curves[curves.length - 1], wide = Math.max(220, Math.round(svg.getBoundingClientRect().width)), high = 196;
    const key = [wide, j.run, curves.length, main ? main.points.length + ':' + main.points[main.points.length - 1].i : 0].join();
    if (svg.dataset.key === key) return;
    svg.dataset.key = key;
    svg.setAttribute('viewBox', `0 0 ${wide} ${high}`);
    svg.replaceChildren();
    const left = 66, right = wide - 10, top = 10, foot = 128, floor = 176;
    svg.append(draw('line', { class: 'rule faint', x1: left, x2: right, y1: (top + foot) / 2 - 1, y2: (top + foot) / 2 - 1 }), draw('line', { class: 'rule', x1: left, x2: right, y1: foot, y2: foot }), draw('line', { class: 'rule', x1: left, x2: right, y1: floor, y2: floor }));
    if (!main) {
      svg.setAttribute('aria-label', 'no iterations yet');
      svg.append(draw('text', { x: (left + right) / 2, y: 74, 'text-anchor': 'middle' }, isOver(j) ? 'no curve is kept of this job' : 'the curve begins with the first iteration'));
      return;
    }
    const all = curves.flatMap(c => c.points), last = main.points[main.points.length - 1];
    const end = Math.max(2, ...all.map(p => p.i)), low = Math.min(...all.map(p => p.inertia)), peak = Math.max(...all.map(p => p.inertia));
    // Most is gained in the first iterations: roots leave room for the others. The label half-way says so.
    const soft = 0.01, from = Math.cbrt(soft), to = Math.cbrt(1 + soft), middle = ((from + to) / 2) ** 3 - soft;
    const part = v => peak > low ? (Math.cbrt((v - low) / (peak - low) + soft) - from) / (to - from) : 0.5;
    const x = i => left + 8 + (right - left - 16) * (i - 1) / (end - 1), y = v => foot - 6 - (foot - top - 10) * part(v);
    const path = c => c.points.map(p => x(p.i).toFixed(1) + ',' + y(p.inertia).toFixed(1)).join(' ');
    svg.setAttribute('aria-label', `inertia over ${many(last.i, 'iteration')}: from ${figure(main.points[0].inertia)} to ${figure(last.inertia)}` + (j.moved === undefined ? '' : `; ${many(j.moved, 'row')} moved in the last`));
    for (const c of curves) if (c !== main) svg.append(draw('polyline', { class: 'other', points: path(c) }));
    svg.append(draw('polygon', { class: 'area', points: `${x(main.points[0].i).toFixed(1)},${foot} ${path(main)} ${x(last.i).toFixed(1)},${foot}` }));
    svg.append(draw('polyline', { class: 'line', points: path(main) }), draw('circle', { class: 'dot', cx: x(last.i).toFixed(1), cy: y(last.inertia).toFixed(1), r: 4.5 }));
    const most = Math.log1p(Math.max(1, ...main.points.map(p => p.moved))), bar = Math.max(1.5, Math.min(12, 0.66 * (right - left - 16) / (end - 1)));
    for (const p of main.points) {
      if (p.moved <= 0) continue;
      const tall = Math.max(2, (floor - foot - 10) * Math.log1p(p.moved) / most), r = draw('rect', { class: 'bar', x: (x(p.i) - bar / 2).toFixed(1), y: (floor - tall).toFixed(1), width: bar.toFixed(1), height: tall.toFixed(1), rx: Math.min(2, bar / 3) });
      r.append(draw('title', {}, `iteration ${p.i}: ${many(p.moved, 'row')} moved, inertia ${figure(p.inertia)}`));
      svg.append(r);
    }
    const label = (text, at) => svg.append(draw('text', { x: left - 8, y: at, 'text-anchor': 'end' }, text));
    label(brief(peak), top + 9);
    label('inertia', top + 24);
    if (peak > low) {
      label(brief(low + (peak - low) * middle), (top + foot) / 2 + 5);
      label(brief(low), foot - 2);
    }
    label('moved', floor - 8);
    svg.append(draw('text', { x: left, y: high - 4 }, 'iteration 1'), draw('text', { x: right, y: high - 4, 'text-anchor': 'end' }, String(end)));
  };

  // Events.
  const eventTone = { started: 'busy', joined: 'good', lost: 'bad', left: 'busy', 'turned-away': 'warn', waits: 'warn', resumed: 'good', anew: 'warn', done: 'good',
    failed: 'bad', cancelled: 'warn', reassigned: 'warn', speculated: 'warn', uncheckpoint: 'bad', submitted: 'busy', begun: 'busy' };
  const told = new Set(['joined', 'lost', 'left', 'reassigned', 'done', 'failed', 'cancelled', 'waits', 'uncheckpoint']);
  const mostEvents = 512;
  const seen = new Set();
  const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  const showEvents = (epoch, list, fresh) => {
    const ol = byId('events');
    for (const e of list) {
      const id = epoch + '-' + e.number, like = JSON.stringify([e.kind, e.worker, e.job]);
      if (seen.has(id)) continue;
      seen.add(id);
      if (e.count > 1) for (const li of ol.children) if (li.dataset.like === like) { li.remove(); break; }
      const li = make('li', fresh ? 'new' : ''), words = make('div'), dot = make('i'), when = make('time', '', clock.format(new Date(e.time))), of = make('span', '', e.name ? ' · ' + e.name : ''), foot = make('div', 'of');
      foot.append(when, of);
      dot.setAttribute('aria-hidden', 'true');
      li.dataset.like = like;
      li.dataset.kind = e.kind;
      tone(li, eventTone[e.kind] || '');
      when.dateTime = e.time;
      when.title = new Date(e.time).toString();
      of.title = e.name || '';
      words.append(make('p', '', e.text + (e.count > 1 ? ' (' + whole.format(e.count) + ' times)' : '')), foot);
      li.append(dot, words);
      ol.prepend(li);
    }
    while (ol.children.length > mostEvents) ol.lastChild.remove();
    const words = list.filter(e => told.has(e.kind)).slice(-3).map(e => e.text + (e.name ? ', ' + e.name : ''));
    if (fresh && words.length) say(byId('said'), words.join('. '));
  };

  // The cluster at a glance.
  let shown = null;
  const show = snapshot => {
    shown = snapshot;
    shown.workers ||= [];
    shown.jobs ||= [];
    behind = Date.parse(snapshot.time) - Date.now();
    refresh();
  };
  const refresh = () => {
    if (!shown) return;
    const w = shown.workers, here = w.filter(alive), away = w.length - here.length, slow = here.filter(x => x.straggling).length;
    const busy = shown.jobs.filter(j => j.state === 'running' || j.state === 'waiting'), queued = shown.jobs.filter(j => j.state === 'queued').length;
    const speed = busy.reduce((s, j) => s + (j.rows_per_second || 0), 0), used = here.reduce((s, x) => s + x.memory_used, 0), room = here.reduce((s, x) => s + x.memory, 0);
    say(byId('about'), 'Coterie ' + shown.version + ' · epoch ' + shown.epoch + ' · up for ' + lasting(since(shown.started)));
    say(byId('t-workers'), whole.format(here.length + (shown.hidden_workers || 0)));
    say(byId('t-workers-more'), [away ? away + ' lost' : '', slow ? slow + ' slow' : ''].filter(Boolean).join(', ') || (here.length ? many(here.reduce((s, x) => s + x.threads, 0), 'thread') : 'none yet'));
    byId('t-workers-more').classList.toggle('bad', away > 0);
    say(byId('t-jobs'), whole.format(busy.length));
    say(byId('t-jobs-more'), queued ? queued + ' queued' : 'none queued');
    say(byId('t-speed'), speed ? rate(speed) : '–');
    say(byId('t-speed-more'), 'rows a second');
    say(byId('t-memory'), bytes(used));
    say(byId('t-memory-more'), many(here.reduce((s, x) => s + x.partitions, 0), 'partition') + (room ? ', of ' + bytes(room) : ''));
    document.title = (busy.length ? many(busy.length, 'job') + ' · ' : '') + 'Coterie cluster';
    showJobs(shown.jobs);
    showWorkers(w);
  };

  // The stream, and what takes its place.
  const silence = 6000, pollEvery = 5000;
  let source = null, heard = 0, timer = 0;
  const link = (state, text) => {
    byId('link').dataset.link = state;
    say(byId('link').lastElementChild, text);
    document.body.classList.toggle('away', state === 'away');
  };
  const lost = () => link('away', 'coordinator away, trying again');
  const word = () => { heard = Date.now(); link('live', 'live'); };
  const disconnect = () => {
    clearTimeout(timer);
    if (source) source.close();
    source = null;
  };
  const connect = () => {
    disconnect();
    heard = Date.now();
    let fresh = false;
    source = new EventSource('api/v1/events');
    source.addEventListener('cluster', m => { word(); show(JSON.parse(m.data)); });
    source.addEventListener('events', m => { word(); showEvents(m.lastEventId.split('-')[0], JSON.parse(m.data), fresh || seen.size > 0); fresh = true; });
    source.addEventListener('alive', word);
    source.onerror = () => {
      if (source && source.readyState === EventSource.CLOSED) poll(); else lost(); // it tries again by itself, or was refused
    };
  };
  const poll = async () => {
    disconnect();
    try {
      const reply = await fetch('api/v1/cluster', { cache: 'no-store', signal: AbortSignal.timeout(pollEvery) });
      if (!reply.ok) throw new Error(reply.statusText);
      const s = await reply.json();
      show(s);
      showEvents(s.epoch, s.events || [], seen.size > 0);
      link('poll', 'many are looking: brought up to date every 5 s');
    } catch {
      lost();
    }
    timer = setTimeout(connect, pollEvery);
  };
  setInterval(() => {
    refresh();
    if (source && Date.now() - heard > silence) { lost(); if (Date.now() - heard > 3 * silence) connect(); }
  }, 1000);
  document.addEventListener('visibilitychange', () => { if (document.hidden) disconnect(); else connect(); });
  new ResizeObserver(refresh).observe(byId('jobs'));
  byId('all-workers').addEventListener('click', () => { allWorkers = !allWorkers; refresh(); });
  connect();
})();
