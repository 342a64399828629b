namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>How claims.html looks, in light and in dark.</summary>
internal static class PageStyle
{
    /// <summary>Names of colours.</summary>
    public const string Colours = """
        :root {
          --ink: #1d2330; --soft: #5b6475; --ground: #fbfbfd; --card: #fff; --rule: #e1e4ec; --accent: #2f5fd0;
          --view: #eef1f7; --encoder: #dbe7ff; --momentum: #ece0fb; --head: #d9f2e6; --predictor: #ffe6d1; --memory: #fff3c4; --loss: #e6e8ee; --edge: #8a93a6; --stop: #c8322b;
          --good: #1f7a4d; --goodback: #dcf3e6; --bad: #b3362c; --badback: #fbe3e0; --open: #6a5a1e; --openback: #f6efd2;
          --s0: #2f6fdb; --s1: #d9622b; --s2: #218a5f; --s3: #9a4fc4; --s4: #b58d12; --s5: #d13f6d; --s6: #2592a6; --s7: #7a6250; --s8: #5a6cd0; --s9: #7d8f2c;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --ink: #e7eaf2; --soft: #a3adc0; --ground: #12151c; --card: #1a1e28; --rule: #2e3544; --accent: #8fb0ff;
            --view: #262d3b; --encoder: #1f3a6e; --momentum: #40286a; --head: #174a36; --predictor: #5c3717; --memory: #574913; --loss: #323949; --edge: #77819a; --stop: #ff8078;
            --good: #7fdcae; --goodback: #143a29; --bad: #ffa49b; --badback: #47201d; --open: #e8d38a; --openback: #3a3215;
            --s0: #74a5ff; --s1: #ff9a6b; --s2: #5fd0a0; --s3: #cf95f2; --s4: #e6c14f; --s5: #ff85a9; --s6: #67cfe0; --s7: #c9ad97; --s8: #a0adff; --s9: #c0d06a;
          }
        }
        """;

    public const string Css = $$"""
        {{Colours}}
        * { box-sizing: border-box }
        body { margin: 0; font: 16px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: var(--ink); background: var(--ground) }
        main { max-width: 76rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem }
        h1 { font-size: clamp(1.9rem, 5vw, 3rem); line-height: 1.1; margin: 0 0 .6rem; letter-spacing: -.02em }
        h2 { font-size: 1.6rem; margin: 3.5rem 0 .5rem; letter-spacing: -.01em }
        h3 { font-size: 1.1rem; margin: 0 }
        p { margin: .4rem 0; max-width: 68ch } .soft { color: var(--soft) } .small { font-size: .88rem }
        a { color: var(--accent); text-decoration: none } a:hover { text-decoration: underline }
        .cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 33rem), 1fr)); margin-top: 1rem }
        .card { background: var(--card); border: 1px solid var(--rule); border-radius: 14px; padding: 1.1rem 1.2rem; min-width: 0 }
        .claim { margin-top: 1.1rem } .claim > header { display: flex; flex-wrap: wrap; gap: .4rem .9rem; align-items: baseline; justify-content: space-between }
        .scroll { overflow-x: auto } .side { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); align-items: start; margin-top: .7rem }
        .badge { display: inline-block; font-size: .82rem; font-weight: 600; border-radius: 99px; padding: .12rem .7rem; white-space: nowrap }
        .holds { color: var(--good); background: var(--goodback) } .not { color: var(--bad); background: var(--badback) } .open { color: var(--open); background: var(--openback) }
        table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums } td, th { padding: .28rem .6rem; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: top }
        th { color: var(--soft); font-weight: 500 } td:first-child, th:first-child { text-align: left; padding-left: 0 } .summary { width: 100% } .summary a { color: var(--ink) } .summary td { text-align: left } .summary td:last-child { text-align: right }
        ul.compared { list-style: none; padding: 0; margin: .6rem 0; font-size: .92rem } ul.compared li { display: flex; flex-wrap: wrap; gap: .1rem .7rem; justify-content: space-between; padding: .3rem 0; border-bottom: 1px solid var(--rule) }
        svg { display: block; width: 100%; height: auto } svg text { font: 12.5px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--ink) }
        .flow { min-width: 17rem } .flow text { text-anchor: middle } .flow .note { text-anchor: start; fill: var(--soft); font-size: 11px }
        .part { stroke: var(--edge); fill: var(--card) } .view { fill: var(--view) } .encoder { fill: var(--encoder) } .momentum { fill: var(--momentum); stroke-dasharray: 5 3 } .head { fill: var(--head) }
        .predictor { fill: var(--predictor) } .memory { fill: var(--memory) } .loss { fill: var(--loss) }
        .arrow, .follows, .same { fill: none; stroke: var(--edge); stroke-width: 1.4 } .follows { stroke-dasharray: 5 3; stroke: var(--s3) } path.stop { stroke: var(--stop); stroke-width: 2.2 } .flow text.stop { fill: var(--stop); font-size: 11px; font-weight: 600 }
        .tip { fill: var(--edge) }
        .chart { max-width: 42rem; min-width: 26rem } .lines { max-width: 27rem; min-width: 19rem } .map { max-width: 24rem; min-width: 15rem } .label { text-anchor: end } .tick { text-anchor: middle } .chart .tick, .lines .label { fill: var(--soft); font-size: 11px } .title { font-weight: 600 }
        .grid { stroke: var(--rule) } .whisker { stroke: var(--s0); stroke-width: 3; opacity: .45; stroke-linecap: round } .seed { fill: var(--s0); opacity: .45 } .mean { fill: var(--s0) } .line { fill: none; stroke-width: 2 } .frame { fill: none; stroke: var(--rule) }
        .curves { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem } .curves > svg { flex: 1 1 19rem }
        .legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .85rem; color: var(--soft); max-width: none } .legend i { display: inline-block; width: .75em; height: .75em; border-radius: 3px; margin-right: .4em }
        .rail { min-width: 62rem } .rail line { stroke: var(--rule); stroke-width: 3 } .rail .dot { fill: var(--accent); stroke: var(--card); stroke-width: 3 } .rail .texts { fill: var(--s1) } .rail .when { fill: var(--soft); font-size: 11px } .rail text { text-anchor: middle } .rail .name { font-weight: 600 } .rail .lane { text-anchor: start; fill: var(--soft) }
        .faces { display: grid; gap: .3rem } .faces div { display: flex; gap: .3rem; align-items: center } .faces img { width: clamp(30px, 8vw, 46px); aspect-ratio: 1; image-rendering: pixelated; border-radius: 6px; border: 2px solid transparent } .faces img.own { margin-right: .7rem } .faces img.right { border-color: var(--good) } .faces img.wrong { border-color: var(--bad) }
        .claim td { white-space: nowrap }
        @media (max-width: 40rem) { .summary td { display: block; border: 0; padding: .15rem 0 } .summary td:last-child { text-align: left; padding-bottom: .6rem; border-bottom: 1px solid var(--rule) } }
        details > summary { cursor: pointer; color: var(--accent); font-size: .9rem; margin-top: .5rem } footer { margin-top: 4rem; color: var(--soft); font-size: .88rem }
        """;

    /// <summary>Classes of the ten colours, as lines, areas and backgrounds.</summary>
    public static string Series { get; } = string.Concat(Enumerable.Range(0, 10).Select(index => $".s{index} {{ stroke: var(--s{index}) }} .s{index}.fill {{ fill: var(--s{index}); stroke: none; opacity: .8 }} .s{index}.back {{ background: var(--s{index}) }}\n"));
}
