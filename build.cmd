@echo off
rem The same verbs as build.sh; build.cmd alone lists them.
setlocal EnableExtensions DisableDelayedExpansion
cd /d "%~dp0"

set DOTNET_CLI_TELEMETRY_OPTOUT=1
set DOTNET_NOLOGO=1
set DOTNET_CLI_UI_LANGUAGE=en
rem libtorch's idle threads spin by default, which makes a crowded machine ten times slower.
if not defined OMP_WAIT_POLICY set OMP_WAIT_POLICY=passive

set VERB=%~1
rem What follows the verb; shift does not change %%*.
set ARGUMENTS=
:collect
shift
if "%~1"=="" goto dispatch
set ARGUMENTS=%ARGUMENTS% %1
goto collect

:dispatch
if "%VERB%"=="build" goto build_only
if "%VERB%"=="test" goto test
if "%VERB%"=="known-answers" goto known_answers
if "%VERB%"=="demo" goto demo
if "%VERB%"=="gpu-check" goto gpu_check
if "%VERB%"=="bench" goto bench
if "%VERB%"=="compare" goto compare
if "%VERB%"=="" goto help
if "%VERB%"=="help" goto help
call :help
exit /b 2

:build_only
call :build
exit /b %ERRORLEVEL%

:test
call :build || exit /b 1
call :run_tests --solution ContrastiveML.sln %ARGUMENTS%
exit /b %ERRORLEVEL%

:known_answers
call :build || exit /b 1
call :run_tests --project tests\Microsoft.ML.Contrastive.Tests -- --filter-class "*KnownAnswerTests" %ARGUMENTS%
exit /b %ERRORLEVEL%

:demo
dotnet run -c Release --project samples\FewLabels -- %ARGUMENTS%
exit /b %ERRORLEVEL%

:gpu_check
dotnet run -c Release --project benchmarks -- gpu-check %ARGUMENTS%
exit /b %ERRORLEVEL%

:bench
dotnet run -c Release --project benchmarks -- %ARGUMENTS%
exit /b %ERRORLEVEL%

:compare
dotnet run -c Release --project benchmarks -- compare %ARGUMENTS%
exit /b %ERRORLEVEL%

:build
dotnet build ContrastiveML.sln -c Release
exit /b %ERRORLEVEL%

rem Runs tests that are built, and sums up in one line. Fails when a test does or when none ran.
:run_tests
set LOG=%TEMP%\contrastive-tests-%RANDOM%.log
set PASSED=0
set FAILED=0
set SKIPPED=0
dotnet test -c Release --no-build --no-ansi %* > "%LOG%" 2>&1
set STATUS=%ERRORLEVEL%
type "%LOG%"
for /f "tokens=1,2" %%a in ('findstr /r /c:"^  succeeded: [0-9]" /c:"^  failed: [0-9]" /c:"^  skipped: [0-9]" "%LOG%"') do (
    if "%%a"=="succeeded:" set PASSED=%%b
    if "%%a"=="failed:" set FAILED=%%b
    if "%%a"=="skipped:" set SKIPPED=%%b
)
del "%LOG%"
echo %PASSED% passed, %FAILED% failed, %SKIPPED% skipped
if "%PASSED%%FAILED%"=="00" exit /b 1
exit /b %STATUS%

:help
echo usage: build.cmd VERB [ARGUMENTS]
echo.
echo   build          restore and build everything (Release)
echo   test           build, then run all tests; ends with "N passed, N failed, N skipped"
echo   known-answers  build, then run the known-answer tests alone, with the JSON files of the folder
echo                  CONTRASTIVE_KNOWN_ANSWERS too (with CONTRASTIVE_KNOWN_ANSWERS_ONLY=1 without our own)
echo   demo           run samples\FewLabels: pretrain without labels, classify with few
echo   gpu-check      compare each method's first losses on the chosen device with the CPU's
echo   bench          run the benchmarks
echo   compare        the library's speed beside PyTorch, torchvision, OpenCV, scikit-learn, faiss and ONNX Runtime
echo.
echo The environment variable TorchBackend = cpu (default) ^| cuda-windows ^| cuda-linux picks the native back end.
exit /b 0
