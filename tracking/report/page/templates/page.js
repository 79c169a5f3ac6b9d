(function () {
  'use strict';
  var known = JSON.parse(document.getElementById('known').textContent);
  var root = document.documentElement, framed = window.parent !== window, drawn = [];
  function all(selector) { return Array.prototype.slice.call(document.querySelectorAll(selector)); }

  // Light and dark: as the system has it until the button says otherwise.
  var system = window.matchMedia('(prefers-color-scheme: dark)');
  function isDark() { return root.dataset.theme === 'dark'; }
  function setTheme(dark) { root.dataset.theme = dark ? 'dark' : 'light'; drawn.forEach(draw); }
  setTheme(system.matches);
  system.addEventListener('change', function (event) { setTheme(event.matches); });
  document.getElementById('theme').addEventListener('click', function () { setTheme(!isDark()); });

  // Figures: written in the light theme's colours; plotly is started when the first comes near the window.
  function hex(number) { return ('0' + Number(number).toString(16)).slice(-2); }
  function dark(text) {
    return text.replace(/#[0-9a-f]{6}\b/g, function (colour) { return known.dark[colour] || colour; })
      .replace(/rgba\((\d+),(\d+),(\d+),/g, function (whole, red, green, blue) {
        var other = known.dark['#' + hex(red) + hex(green) + hex(blue)];
        if (!other) { return whole; }
        return 'rgba(' + [1, 3, 5].map(function (at) { return parseInt(other.substr(at, 2), 16); }).join(',') + ',';
      });
  }
  function fit(layout, width) {
    var narrow = width < 560, rows = Math.ceil(layout.meta.legend / Math.max(200, width - 90));
    var axes = Object.keys(layout).filter(function (name) { return /^xaxis\d*$/.test(name) && layout[name].domain; });
    if (narrow) {
      layout.margin.l = Math.min(layout.margin.l, 52);
      layout.margin.r = Math.min(layout.margin.r, 12);
      Object.keys(layout).forEach(function (name) {
        if (/^[xy]axis/.test(name)) { layout[name].nticks = layout[name].nticks || 6; }
      });
    }
    if (narrow && axes.length > 1) {  // panels below one another
      layout.height = Math.round(layout.height * 0.85 * axes.length);
      var part = 1 / axes.length, titles = layout.annotations || [];
      axes.forEach(function (name, index) {
        var top = 1 - index * part, bottom = top - part + (index < axes.length - 1 ? 0.14 : 0);
        layout[name].domain = [0, 1];
        layout['yaxis' + name.slice(5)].domain = [bottom, top - (index ? 0.06 : 0)];
        titles.filter(function (one) { return one.name === 'panel'; }).slice(index, index + 1).forEach(function (one) {
          one.x = 0; one.y = top - (index ? 0.05 : -0.01);
        });
      });
    }
    if (rows) {
      layout.margin.b += 14 + 22 * rows;
      layout.height += 22 * rows - 22;
    }
    return layout;
  }
  function draw(source) {
    if (!window.Plotly) { return; }
    var text = source.textContent, place = source.previousElementSibling;
    var figure = JSON.parse(isDark() ? dark(text) : text), layout = fit(figure.layout, place.clientWidth);
    place.style.height = layout.height + 'px';
    window.Plotly.react(place, figure.data, layout, {responsive: true, displaylogo: false,
      displayModeBar: place.clientWidth < 560 ? false : undefined,
      modeBarButtonsToRemove: ['lasso2d', 'select2d', 'autoScale2d', 'sendChartToCloud', 'sendDataToCloud',
        'editInChartStudio'], showSendToCloud: false, plotlyServerURL: ''});
    if (drawn.indexOf(source) < 0) {
      drawn.push(source);
      place.on('plotly_click', function (event) {
        var address = known.runs[(event.points[0] || {}).customdata];
        if (address) { visit(address); }
      });
    }
  }
  function start() {
    if (window.Plotly) { return; }
    var script = document.createElement('script');
    script.textContent = document.getElementById('plotly').textContent;
    document.body.appendChild(script);
  }
  window.addEventListener('load', function () {
    var waiting = new IntersectionObserver(function (entries) {
      var near = entries.filter(function (entry) { return entry.isIntersecting; });
      near.forEach(function (entry) { waiting.unobserve(entry.target); });
      if (near.length) {
        setTimeout(function () {
          start();
          near.forEach(function (entry) { draw(entry.target.nextElementSibling); });
        }, 0);
      }
    }, {rootMargin: '400px'});
    all('script[data-chart]').forEach(function (source) { waiting.observe(source.previousElementSibling); });
  });
  window.addEventListener('beforeprint', function () { start(); all('script[data-chart]').forEach(draw); });

  // Links to runs. MLflow shows a page in a frame that may open nothing: there the address is shown to copy.
  // That frame's own address says where MLflow is, on whatever port.
  var here = /^blob:(https?:\/\/[^/]+)/.exec(window.location.href);
  function visit(address) {
    if (framed && here) { address = address.replace(/^https?:\/\/[^/]+/, here[1]); }
    if (framed) { offer('The run in MLflow: open this address in a tab of its own', 'run.txt', address); }
    else { window.open(address, '_blank', 'noopener'); }
  }
  all('a[data-run], a[data-sweep]').forEach(function (link) {
    var address = 'sweep' in link.dataset ? known.sweep : known.runs[link.dataset.run];
    if (!address) { return; }
    link.setAttribute('href', address);
    link.setAttribute('target', '_blank');
    link.setAttribute('rel', 'noopener');
    link.addEventListener('click', function (event) {
      if (framed) { event.preventDefault(); visit(address); }
    });
  });

  // Texts to copy.
  var dialog = document.getElementById('copy'), area = dialog.querySelector('textarea'), file = '';
  function offer(title, name, text) {
    dialog.querySelector('h3').textContent = title;
    file = name;
    area.value = text;
    dialog.querySelector('.do').textContent = 'copy';
    dialog.querySelector('.save').hidden = framed;
    dialog.showModal();
    area.select();
  }
  all('button[data-copy]').forEach(function (button) {
    button.addEventListener('click', function () {
      var found = JSON.parse(button.nextElementSibling.textContent);
      offer(button.textContent, found[0], found[1]);
    });
  });
  dialog.querySelector('.do').addEventListener('click', function (event) {
    area.select();
    event.target.textContent = document.execCommand('copy') ? 'copied' : 'select the text and copy it';
  });
  dialog.querySelector('.save').addEventListener('click', function () {
    var link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([area.value], {type: 'text/plain'}));
    link.download = file;
    link.click();
  });

  all('nav a').forEach(function (link) {  // the address of a frame need not resolve anchors
    link.addEventListener('click', function (event) {
      event.preventDefault();
      document.getElementById(link.getAttribute('href').slice(1)).scrollIntoView();
    });
  });
  all('th button').forEach(function (button) {
    button.addEventListener('click', function () {
      var head = button.parentElement, body = head.closest('table').tBodies[0], column = head.cellIndex;
      var up = head.getAttribute('aria-sort') !== 'ascending';
      function value(row) {
        var cell = row.cells[column], sort = cell.dataset.sort;
        return sort === undefined ? cell.textContent : sort === '' ? Infinity : Number(sort);
      }
      var rows = Array.prototype.slice.call(body.rows).sort(function (a, b) {
        var x = value(a), y = value(b);
        return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
      });
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      rows.forEach(function (row) { body.appendChild(row); });
    });
  });
})();
